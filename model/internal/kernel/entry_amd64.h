// ENTRY sets DI to entry number AX of an arena: R8 the chunks' slice headers, R9 an entry's bytes. It uses BX.
#define ENTRY \
	MOVL AX, BX;          \
	SHRL $8, AX;          \
	LEAQ (AX)(AX*2), AX;  \
	MOVQ (R8)(AX*8), DI;  \
	ANDL $255, BX;        \
	IMULQ R9, BX;         \
	ADDQ BX, DI
