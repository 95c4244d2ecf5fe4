# mkldscript.sh -t SCRIPT OBJECT...: SCRIPT with symbols around each link set of the objects.
script=$2
shift 2
sed '$d' "$script"
for set in $("$OBJDUMP" -h "$@" | awk '$2 ~ /^link_set_/ && $2 !~ /modules/ { print $2 }' | sort -u); do
	echo "  PROVIDE(__start_$set = .); $set : { *($set) } PROVIDE(__stop_$set = .);"
done
echo '}'
