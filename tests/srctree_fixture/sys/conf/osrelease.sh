# The release from the number in param.h: 1099001200 is 10.99.12.
n=$(sed -n 's/^#define[[:space:]]*__NetBSD_Version__[[:space:]]*\([0-9]*\).*/\1/p' "$(dirname "$0")/../sys/param.h")
echo "$((n / 100000000)).$((n / 1000000 % 100)).$((n / 100 % 10000))"
