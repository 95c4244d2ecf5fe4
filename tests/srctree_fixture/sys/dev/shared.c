const char *shared_place(void);
int shared_number = SHARED;
const char *
shared_place(void)
{
	return __FILE__;
}
