int calls_further(int);
int kernel_number(int);
int calls_all(int);

int
calls_all(int number)
{
	return calls_further(number) + kernel_number(number);
}
