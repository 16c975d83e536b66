#include "textflag.h"

DATA maxHalf<>+0(SB)/4, $65504.0
GLOBL maxHalf<>(SB), RODATA, $4
DATA minHalf<>+0(SB)/4, $-65504.0
GLOBL minHalf<>(SB), RODATA, $4

// func packAVX(dst *uint16, src *float32, n int)
TEXT ·packAVX(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS maxHalf<>(SB), Y1
	VBROADCASTSS minHalf<>(SB), Y2

packEight:
	VMINPS (SI), Y1, Y0
	VMAXPS Y2, Y0, Y0
	VCVTPS2PH $0, Y0, (DI)
	ADDQ $32, SI
	ADDQ $16, DI
	SUBQ $8, CX
	JG packEight
	VZEROUPPER
	RET

// func unpackAVX(dst *float32, src *uint16, n int)
TEXT ·unpackAVX(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

unpackEight:
	VCVTPH2PS (SI), Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JG unpackEight
	VZEROUPPER
	RET
