#include "textflag.h"
#include "entry_amd64.h"

// The forms that read served weights of 16 bits.

// func readJHalfAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32
TEXT ·readJHalfAVX(SB), NOSPLIT, $0-60
	MOVQ tokens+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ e+32(FP), R10
	MOVQ a+40(FP), R11
	MOVQ rowBytes+48(FP), R12
	VXORPS X4, X4, X4

readJHalfToken:
	MOVL 0(SI), AX
	ENTRY
	MOVL 8(SI), DX
	VBROADCASTSS 12(SI), Y0
	VCVTPH2PS (DI), X1
	VMULSS X1, X0, X1
	VADDSS X1, X4, X4
	MOVQ DX, BX
	SHLQ $5, BX
	VCVTPH2PS 8(DI), Y1
	VMULPS Y1, Y0, Y1
	VADDPS (R10)(BX*1), Y1, Y1
	VMOVUPS Y1, (R10)(BX*1)
	IMULQ R12, DX
	ADDQ R11, DX
	ADDQ $24, DI
	MOVQ R12, BX

readJHalfEight:
	VCVTPH2PS (DI), Y1
	VCVTPH2PS 16(DI), Y2
	VMULPS Y1, Y0, Y1
	VMULPS Y2, Y0, Y2
	VADDPS (DX), Y1, Y1
	VADDPS 32(DX), Y2, Y2
	VMOVUPS Y1, (DX)
	VMOVUPS Y2, 32(DX)
	ADDQ $32, DI
	ADDQ $64, DX
	SUBQ $64, BX
	JG readJHalfEight
	ADDQ $16, SI
	DECQ CX
	JNZ readJHalfToken
	VMOVSS X4, ret+56(FP)
	VZEROUPPER
	RET

// func readCQPHalfAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32)
TEXT ·readCQPHalfAVX(SB), NOSPLIT, $0-48
	MOVQ tokens+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ lin+32(FP), R11
	MOVQ e+40(FP), R10
	VMOVUPS (R11), X4

readCQPHalfToken:
	MOVL 0(SI), AX
	ENTRY
	MOVL 8(SI), DX
	VBROADCASTSS 12(SI), Y0
	VCVTPH2PS (DI), X1
	VMULPS X1, X0, X1
	VADDPS X1, X4, X4
	SHLQ $5, DX
	VCVTPH2PS 8(DI), Y2
	VMULPS Y2, Y0, Y2
	VADDPS (R10)(DX*1), Y2, Y2
	VMOVUPS Y2, (R10)(DX*1)
	ADDQ $16, SI
	DECQ CX
	JNZ readCQPHalfToken
	VMOVUPS X4, (R11)
	VZEROUPPER
	RET

// func scoreAVX(out *float32, n int, rows *uint16, width, relu int, shift, weight *float32)
TEXT ·scoreAVX(SB), NOSPLIT, $0-56
	MOVQ out+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ rows+16(FP), SI
	MOVQ width+24(FP), R8
	MOVQ relu+32(FP), R9
	MOVQ shift+40(FP), R10
	MOVQ weight+48(FP), R11
	SUBQ R9, R8
	VXORPS Y15, Y15, Y15

scoreRow:
	PREFETCHT0 1024(SI)
	PREFETCHT0 1088(SI)
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	MOVQ R10, R12
	MOVQ R11, R13
	MOVQ R9, BX
	TESTQ BX, BX
	JLE scoreRest

scoreRelu:
	VCVTPH2PS (SI), Y2
	VCVTPH2PS 16(SI), Y3
	VADDPS (R12), Y2, Y2
	VADDPS 32(R12), Y3, Y3
	VMAXPS Y15, Y2, Y2
	VMAXPS Y15, Y3, Y3
	VMULPS (R13), Y2, Y2
	VMULPS 32(R13), Y3, Y3
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	ADDQ $32, SI
	ADDQ $64, R12
	ADDQ $64, R13
	SUBQ $16, BX
	JG scoreRelu

scoreRest:
	MOVQ R8, BX
	TESTQ BX, BX
	JLE scoreFold

scoreLinear:
	VCVTPH2PS (SI), Y2
	VCVTPH2PS 16(SI), Y3
	VMULPS (R13), Y2, Y2
	VMULPS 32(R13), Y3, Y3
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	ADDQ $32, SI
	ADDQ $64, R13
	SUBQ $16, BX
	JG scoreLinear

scoreFold:
	VADDPS Y1, Y0, Y0
	VHADDPS Y0, Y0, Y0
	VHADDPS Y0, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDSS X1, X0, X0
	VMOVSS X0, (DI)
	ADDQ $4, DI
	DECQ CX
	JNZ scoreRow
	VZEROUPPER
	RET
