#define CPU_NUMBER 32
