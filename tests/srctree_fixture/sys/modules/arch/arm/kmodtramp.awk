# The trampolines: a jump through a word that holds the whole address.
BEGIN { print "\t.text" }
$2 == "*UND*" && $NF ~ /^__wrap_/ {
	name = substr($NF, 8)
	printf("\t.globl __wrap_%s\n__wrap_%s:\n\tldr pc, 1f\n1:\t.word %s\n", name, name, name)
}
