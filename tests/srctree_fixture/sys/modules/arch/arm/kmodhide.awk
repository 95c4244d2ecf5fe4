# The trampolines are nobody else's.
$NF ~ /^__wrap_/ { printf("--localize-symbol=%s\n", $NF) }
