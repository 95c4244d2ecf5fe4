%token TOKEN 258
int grammar_word;
