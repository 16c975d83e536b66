// RECORD sets DI to record number AX of an arena: R8 the chunks' slice headers, R9 a record's bytes. It uses BX.
#define RECORD \
	MOVL AX, BX;          \
	SHRL $8, AX;          \
	LEAQ (AX)(AX*2), AX;  \
	MOVQ (R8)(AX*8), DI;  \
	ANDL $255, BX;        \
	IMULQ R9, BX;         \
	ADDQ BX, DI
