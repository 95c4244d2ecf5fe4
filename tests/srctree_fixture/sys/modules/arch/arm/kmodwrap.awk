# Every function that is called and not defined here is reached through a trampoline.
$2 == "*UND*" { missing[$NF] = 1 }
$2 ~ /^R_ARM_(CALL|JUMP24)$/ && ($3 in missing) && !($3 in said) {
	said[$3] = 1
	printf("--wrap %s\n", $3)
}
