int calls_further(int);
int kernel_number(int);

int
calls_further(int number)
{
	return kernel_number(number + 1) + 2;
}
