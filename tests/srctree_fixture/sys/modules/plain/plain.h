#define PLAIN_HERE 1
int offers_name(int);
