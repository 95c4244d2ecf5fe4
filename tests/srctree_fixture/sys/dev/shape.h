#ifndef SHAPE_H
#define SHAPE_H
#define SHAPE_LIMIT 9
struct shape {
	char kind;
	long width;
	int depth;
};
#endif
