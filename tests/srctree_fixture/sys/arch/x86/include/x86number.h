#define X86_NUMBER 86
