#define CPU_NUMBER 64
