#include "textflag.h"
#include "entry_amd64.h"

// The vector forms of the kernels. No fused multiply-add and no approximate reciprocals: the results are the plain forms' bit for bit.

DATA quarter<>+0(SB)/4, $0.25
GLOBL quarter<>(SB), RODATA, $4
DATA eighth<>+0(SB)/4, $0.125
GLOBL eighth<>(SB), RODATA, $4
DATA forget<>+0(SB)/4, $0.9995
GLOBL forget<>(SB), RODATA, $4
DATA half<>+0(SB)/4, $0.5
GLOBL half<>(SB), RODATA, $4
DATA threeHalves<>+0(SB)/4, $1.5
GLOBL threeHalves<>(SB), RODATA, $4
DATA rootGuess<>+0(SB)/4, $0x5f375a86
GLOBL rootGuess<>(SB), RODATA, $4
DATA faint<>+0(SB)/8, $0x007fffff007fffff // the largest number below 2^-126, eight times
DATA faint<>+8(SB)/8, $0x007fffff007fffff
DATA faint<>+16(SB)/8, $0x007fffff007fffff
DATA faint<>+24(SB)/8, $0x007fffff007fffff
GLOBL faint<>(SB), RODATA, $32

// RSQRT sets y to arith.Rsqrt32(x); h and t are working registers. GUESS, HALF and THREE hold the constants above in every lane.
#define NEWTON(y, h, t, THREE) \
	VMULPS y, h, t;    \
	VMULPS y, t, t;    \
	VSUBPS t, THREE, t; \
	VMULPS t, y, y

#define RSQRT(x, y, h, t, GUESS, HALF, THREE) \
	VPSRLD $1, x, y;      \
	VPSUBD y, GUESS, y;   \
	VMULPS HALF, x, h;    \
	NEWTON(y, h, t, THREE); \
	NEWTON(y, h, t, THREE)

// FAINT sets the lanes of m in which x is not negative and below 2^-126.
#define FAINT(x, m) \
	VPMINUD faint<>(SB), x, m; \
	VPCMPEQD x, m, m

// func axpyAVX(dst, src *float32, n int, x float32)
TEXT ·axpyAVX(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS x+24(FP), Y0

axpyLoop:
	VMULPS (SI), Y0, Y1
	VADDPS (DI), Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JG axpyLoop
	VZEROUPPER
	RET

// func ffmDotAVX(a *float32, fields, room int) float32
TEXT ·ffmDotAVX(SB), NOSPLIT, $0-28
	MOVQ a+0(FP), DI
	MOVQ fields+8(FP), CX
	MOVQ room+16(FP), DX
	SHLQ $4, DX      // bytes of a row
	VXORPS X0, X0, X0
	DECQ CX          // pairs in the first row

dotRow:
	VXORPS X1, X1, X1
	LEAQ 16(DI), SI     // a[f][f+1]
	LEAQ (DI)(DX*1), BX // a[f+1][f]
	MOVQ CX, R8

dotPair:
	VMOVUPS (SI), X2
	VMULPS (BX), X2, X2
	VADDPS X2, X1, X1
	ADDQ $16, SI
	ADDQ DX, BX
	DECQ R8
	JNZ dotPair
	VADDPS X1, X0, X0
	LEAQ 16(DI)(DX*1), DI // a[f+1][f+1]
	DECQ CX
	JNZ dotRow
	VHADDPS X0, X0, X0
	VHADDPS X0, X0, X0
	VMOVSS X0, ret+24(FP)
	RET

// func ffmColumnAVX(rows, column, row *float32, h, room int)
TEXT ·ffmColumnAVX(SB), NOSPLIT, $0-40
	MOVQ rows+0(FP), DI
	MOVQ column+8(FP), SI // a[0][h]
	MOVQ row+16(FP), BX   // a[h][0]
	MOVQ h+24(FP), CX
	MOVQ room+32(FP), DX
	SHLQ $4, DX // bytes of a row

columnRow:
	VMOVUPS (SI), X1
	VMULPS (BX), X1, X1
	VADDPS (DI), X1, X1
	VMOVUPS X1, (DI)
	ADDQ DX, SI
	ADDQ $16, BX
	ADDQ $16, DI
	DECQ CX
	JNZ columnRow
	RET

// STEPFOUR moves four vectors of a token at DI, accumulators at SI, against X15 times the four columns at BX. X14: rate, X13: a quarter,
// X12, X11, X10: RSQRT's constants, DX: bytes between columns, R8F: three times that.
#define STEPFOUR(R8F) \
	VMULPS (BX), X15, X0; \
	VMULPS (BX)(DX*1), X15, X1; \
	VMULPS (BX)(DX*2), X15, X2; \
	VMULPS (BX)(R8F*1), X15, X3; \
	LEAQ (BX)(DX*4), BX; \
	VMULPS X0, X0, X4; \
	VMULPS X1, X1, X5; \
	VMULPS X2, X2, X6; \
	VMULPS X3, X3, X7; \
	VHADDPS X5, X4, X4; \
	VHADDPS X7, X6, X6; \
	VHADDPS X6, X4, X4; \
	VMULPS X13, X4, X4; \
	VADDPS (SI), X4, X5; \
	VMOVUPS X5, (SI); \
	RSQRT(X5, X4, X6, X7, X12, X11, X10); \
	VMULPS X4, X14, X4; \
	VSHUFPS $0x00, X4, X4, X5; \
	VSHUFPS $0x55, X4, X4, X6; \
	VSHUFPS $0xAA, X4, X4, X7; \
	VSHUFPS $0xFF, X4, X4, X8; \
	VMULPS X0, X5, X5; \
	VMULPS X1, X6, X6; \
	VMULPS X2, X7, X7; \
	VMULPS X3, X8, X8; \
	VMOVUPS (DI), X0; \
	VMOVUPS 16(DI), X1; \
	VMOVUPS 32(DI), X2; \
	VMOVUPS 48(DI), X3; \
	VSUBPS X5, X0, X0; \
	VSUBPS X6, X1, X1; \
	VSUBPS X7, X2, X2; \
	VSUBPS X8, X3, X3; \
	VMOVUPS X0, (DI); \
	VMOVUPS X1, 16(DI); \
	VMOVUPS X2, 32(DI); \
	VMOVUPS X3, 48(DI); \
	ADDQ $64, DI; \
	ADDQ $16, SI

// func ffmStepAVX(v, acc, col *float32, room, strideBytes int, gx, rate float32)
TEXT ·ffmStepAVX(SB), NOSPLIT, $0-48
	MOVQ v+0(FP), DI
	MOVQ acc+8(FP), SI
	MOVQ col+16(FP), BX
	MOVQ room+24(FP), CX
	MOVQ strideBytes+32(FP), DX
	VBROADCASTSS gx+40(FP), X15
	VBROADCASTSS rate+44(FP), X14
	VBROADCASTSS quarter<>(SB), X13
	VBROADCASTSS rootGuess<>(SB), X12
	VBROADCASTSS half<>(SB), X11
	VBROADCASTSS threeHalves<>(SB), X10
	LEAQ (DX)(DX*2), R8

stepFour:
	STEPFOUR(R8)
	SUBQ $4, CX
	JG stepFour
	VZEROUPPER
	RET

// The kernels of a perceptron's first layer go over the fields of an example: fields is the list of their numbers, chunks the arena whose
// entries are [weights 8x16][accumulators], e and de hold eight floats by field.

// func layerForwardAVX(h *float32, fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e *float32)
TEXT ·layerForwardAVX(SB), NOSPLIT, $0-48
	MOVQ h+0(FP), R11
	MOVQ fields+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ chunks+24(FP), R8
	MOVQ strideBytes+32(FP), R9
	MOVQ e+40(FP), R10
	VMOVUPS (R11), Y0
	VMOVUPS 32(R11), Y1

hiddenField:
	MOVWLZX (SI), AX
	MOVQ AX, R12
	SHLQ $5, R12
	ADDQ R10, R12
	ENTRY
	VBROADCASTSS 0(R12), Y2
	VMULPS 0(DI), Y2, Y3
	VMULPS 32(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	VBROADCASTSS 4(R12), Y2
	VMULPS 64(DI), Y2, Y3
	VMULPS 96(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	VBROADCASTSS 8(R12), Y2
	VMULPS 128(DI), Y2, Y3
	VMULPS 160(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	VBROADCASTSS 12(R12), Y2
	VMULPS 192(DI), Y2, Y3
	VMULPS 224(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	VBROADCASTSS 16(R12), Y2
	VMULPS 256(DI), Y2, Y3
	VMULPS 288(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	VBROADCASTSS 20(R12), Y2
	VMULPS 320(DI), Y2, Y3
	VMULPS 352(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	VBROADCASTSS 24(R12), Y2
	VMULPS 384(DI), Y2, Y3
	VMULPS 416(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	VBROADCASTSS 28(R12), Y2
	VMULPS 448(DI), Y2, Y3
	VMULPS 480(DI), Y2, Y4
	VADDPS Y3, Y0, Y0
	VADDPS Y4, Y1, Y1
	ADDQ $2, SI
	DECQ CX
	JNZ hiddenField
	VMOVUPS Y0, (R11)
	VMOVUPS Y1, 32(R11)
	VZEROUPPER
	RET

// func layerBackJAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, square, dh *float32, rate float32)
TEXT ·layerBackJAVX(SB), NOSPLIT, $0-68
	MOVQ fields+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ e+32(FP), R10
	MOVQ de+40(FP), R11
	MOVQ square+48(FP), DX
	MOVQ dh+56(FP), AX
	VMOVUPS (AX), Y0
	VMOVUPS 32(AX), Y1
	VBROADCASTSS rate+64(FP), Y15
	VBROADCASTSS rootGuess<>(SB), Y14
	VBROADCASTSS half<>(SB), Y13
	VBROADCASTSS threeHalves<>(SB), Y12

layerBackJField:
	MOVWLZX (SI), AX
	MOVQ AX, R13
	SHLQ $5, R13
	LEAQ (R10)(R13*1), R12 // e
	ADDQ R11, R13          // de
	MOVL AX, R14
	ENTRY
	VMULPS 0(DI), Y0, Y2
	VMULPS 32(DI), Y1, Y10
	VADDPS Y10, Y2, Y2
	VMULPS 64(DI), Y0, Y3
	VMULPS 96(DI), Y1, Y10
	VADDPS Y10, Y3, Y3
	VMULPS 128(DI), Y0, Y4
	VMULPS 160(DI), Y1, Y10
	VADDPS Y10, Y4, Y4
	VMULPS 192(DI), Y0, Y5
	VMULPS 224(DI), Y1, Y10
	VADDPS Y10, Y5, Y5
	VMULPS 256(DI), Y0, Y6
	VMULPS 288(DI), Y1, Y10
	VADDPS Y10, Y6, Y6
	VMULPS 320(DI), Y0, Y7
	VMULPS 352(DI), Y1, Y10
	VADDPS Y10, Y7, Y7
	VMULPS 384(DI), Y0, Y8
	VMULPS 416(DI), Y1, Y10
	VADDPS Y10, Y8, Y8
	VMULPS 448(DI), Y0, Y9
	VMULPS 480(DI), Y1, Y10
	VADDPS Y10, Y9, Y9
	VHADDPS Y3, Y2, Y2
	VHADDPS Y5, Y4, Y4
	VHADDPS Y7, Y6, Y6
	VHADDPS Y9, Y8, Y8
	VHADDPS Y4, Y2, Y2
	VHADDPS Y8, Y6, Y6
	VEXTRACTF128 $1, Y2, X3
	VADDPS X3, X2, X2
	VMOVUPS X2, (R13)
	VEXTRACTF128 $1, Y6, X7
	VADDPS X7, X6, X6
	VMOVUPS X6, 16(R13)
	VMULPS X2, X2, X2
	VMULPS X6, X6, X6
	VHADDPS X6, X2, X2
	VHADDPS X2, X2, X2
	VMOVSHDUP X2, X3
	VADDSS X3, X2, X2
	VMULSS eighth<>(SB), X2, X2
	VMOVSS X2, (DX)(R14*4)
	VMOVUPS (R12), Y2
	VMULPS Y2, Y2, Y2
	VHADDPS Y2, Y2, Y2
	VHADDPS Y2, Y2, Y2
	VEXTRACTF128 $1, Y2, X3
	VADDPS X3, X2, X2
	VMULSS eighth<>(SB), X2, X2
	VBROADCASTSS X2, Y2
	VMULPS Y0, Y0, Y5
	VMULPS Y2, Y5, Y5
	VADDPS 512(DI), Y5, Y5
	VMOVUPS Y5, 512(DI)
	VMULPS Y1, Y1, Y6
	VMULPS Y2, Y6, Y6
	VADDPS 544(DI), Y6, Y6
	VMOVUPS Y6, 544(DI)
	RSQRT(Y5, Y3, Y8, Y9, Y14, Y13, Y12)
	RSQRT(Y6, Y4, Y8, Y9, Y14, Y13, Y12)
	VMULPS Y3, Y15, Y3
	VMULPS Y0, Y3, Y3
	VMULPS Y4, Y15, Y4
	VMULPS Y1, Y4, Y4
	VBROADCASTSS 0(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 0(DI), Y8
	VMOVUPS 32(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 0(DI)
	VMOVUPS Y9, 32(DI)
	VBROADCASTSS 4(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 64(DI), Y8
	VMOVUPS 96(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 64(DI)
	VMOVUPS Y9, 96(DI)
	VBROADCASTSS 8(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 128(DI), Y8
	VMOVUPS 160(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 128(DI)
	VMOVUPS Y9, 160(DI)
	VBROADCASTSS 12(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 192(DI), Y8
	VMOVUPS 224(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 192(DI)
	VMOVUPS Y9, 224(DI)
	VBROADCASTSS 16(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 256(DI), Y8
	VMOVUPS 288(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 256(DI)
	VMOVUPS Y9, 288(DI)
	VBROADCASTSS 20(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 320(DI), Y8
	VMOVUPS 352(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 320(DI)
	VMOVUPS Y9, 352(DI)
	VBROADCASTSS 24(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 384(DI), Y8
	VMOVUPS 416(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 384(DI)
	VMOVUPS Y9, 416(DI)
	VBROADCASTSS 28(R12), Y5
	VMULPS Y5, Y3, Y6
	VMULPS Y5, Y4, Y7
	VMOVUPS 448(DI), Y8
	VMOVUPS 480(DI), Y9
	VSUBPS Y6, Y8, Y8
	VSUBPS Y7, Y9, Y9
	VMOVUPS Y8, 448(DI)
	VMOVUPS Y9, 480(DI)
	ADDQ $2, SI
	DECQ CX
	JNZ layerBackJField
	VZEROUPPER
	RET

// func layerBackQAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, dh *float32, rate float32)
TEXT ·layerBackQAVX(SB), NOSPLIT, $0-60
	MOVQ fields+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ e+32(FP), R10
	MOVQ de+40(FP), R11
	MOVQ dh+48(FP), AX
	VMOVUPS (AX), Y0
	VMOVUPS 32(AX), Y1
	VBROADCASTSS rate+56(FP), Y15
	VBROADCASTSS forget<>(SB), Y14
	VBROADCASTSS rootGuess<>(SB), Y13
	VBROADCASTSS half<>(SB), Y12
	VBROADCASTSS threeHalves<>(SB), Y11

layerBackQField:
	MOVWLZX (SI), AX
	MOVQ AX, R13
	SHLQ $5, R13
	LEAQ (R10)(R13*1), R12 // e
	ADDQ R11, R13          // de
	ENTRY
	VMULPS 0(DI), Y0, Y2
	VMULPS 32(DI), Y1, Y10
	VADDPS Y10, Y2, Y2
	VMULPS 64(DI), Y0, Y3
	VMULPS 96(DI), Y1, Y10
	VADDPS Y10, Y3, Y3
	VMULPS 128(DI), Y0, Y4
	VMULPS 160(DI), Y1, Y10
	VADDPS Y10, Y4, Y4
	VMULPS 192(DI), Y0, Y5
	VMULPS 224(DI), Y1, Y10
	VADDPS Y10, Y5, Y5
	VMULPS 256(DI), Y0, Y6
	VMULPS 288(DI), Y1, Y10
	VADDPS Y10, Y6, Y6
	VMULPS 320(DI), Y0, Y7
	VMULPS 352(DI), Y1, Y10
	VADDPS Y10, Y7, Y7
	VMULPS 384(DI), Y0, Y8
	VMULPS 416(DI), Y1, Y10
	VADDPS Y10, Y8, Y8
	VMULPS 448(DI), Y0, Y9
	VMULPS 480(DI), Y1, Y10
	VADDPS Y10, Y9, Y9
	VHADDPS Y3, Y2, Y2
	VHADDPS Y5, Y4, Y4
	VHADDPS Y7, Y6, Y6
	VHADDPS Y9, Y8, Y8
	VHADDPS Y4, Y2, Y2
	VHADDPS Y8, Y6, Y6
	VEXTRACTF128 $1, Y2, X3
	VADDPS X3, X2, X2
	VMOVUPS X2, (R13)
	VEXTRACTF128 $1, Y6, X7
	VADDPS X7, X6, X6
	VMOVUPS X6, 16(R13)
	MOVQ $8, DX

layerBackQRow:
	VBROADCASTSS (R12), Y2
	VMULPS Y2, Y0, Y3
	VMULPS Y2, Y1, Y4
	VMOVUPS 512(DI), Y5
	VMOVUPS 544(DI), Y6
	VPMINUD Y5, Y6, Y7
	FAINT(Y7, Y8)
	VPTEST Y8, Y8
	JNE layerBackQFaint
	VMULPS Y5, Y14, Y5
	VMULPS Y6, Y14, Y6
	VMULPS Y3, Y3, Y7
	VMULPS Y4, Y4, Y8
	VADDPS Y7, Y5, Y5
	VADDPS Y8, Y6, Y6
	VMOVUPS Y5, 512(DI)
	VMOVUPS Y6, 544(DI)

layerBackQStep:
	RSQRT(Y5, Y7, Y9, Y10, Y13, Y12, Y11)
	RSQRT(Y6, Y8, Y9, Y10, Y13, Y12, Y11)
	VMULPS Y7, Y15, Y7
	VMULPS Y8, Y15, Y8
	VMULPS Y3, Y7, Y7
	VMULPS Y4, Y8, Y8
	VMOVUPS (DI), Y5
	VMOVUPS 32(DI), Y6
	VSUBPS Y7, Y5, Y5
	VSUBPS Y8, Y6, Y6
	VMOVUPS Y5, (DI)
	VMOVUPS Y6, 32(DI)
	ADDQ $4, R12
	ADDQ $64, DI
	DECQ DX
	JNZ layerBackQRow
	ADDQ $2, SI
	DECQ CX
	JNZ layerBackQField
	VZEROUPPER
	RET

// The accumulators of a hidden unit that is never above zero fade to below 2^-126 and stay there, and the processor takes a hundred times as long for a product
// with such a number: one unit made an example cost four times as much. But it is a whole multiple of 2^-149, and so is its product with forget once rounded:
// that is what doubles and their rounding give. Where there is no gradient the root does not matter, as long as it is finite.
layerBackQFaint:
	FAINT(Y5, Y7)
	VPANDN Y5, Y7, Y8
	VMULPS Y8, Y14, Y8
	VPAND Y5, Y7, Y9
	VEXTRACTI128 $1, Y9, X10
	VCVTDQ2PD X9, Y9
	VCVTDQ2PD X10, Y10
	VCVTPS2PD X14, Y7
	VMULPD Y7, Y9, Y9
	VMULPD Y7, Y10, Y10
	VCVTPD2DQY Y9, X9
	VCVTPD2DQY Y10, X10
	VINSERTI128 $1, X10, Y9, Y9
	VPOR Y9, Y8, Y8
	VMULPS Y3, Y3, Y7
	VADDPS Y7, Y8, Y5
	VMOVUPS Y5, 512(DI)
	FAINT(Y5, Y7)
	VXORPS Y8, Y8, Y8
	VCMPPS $0, Y8, Y3, Y8
	VPAND Y8, Y7, Y7
	VBLENDVPS Y7, Y11, Y5, Y5
	FAINT(Y6, Y7)
	VPANDN Y6, Y7, Y8
	VMULPS Y8, Y14, Y8
	VPAND Y6, Y7, Y9
	VEXTRACTI128 $1, Y9, X10
	VCVTDQ2PD X9, Y9
	VCVTDQ2PD X10, Y10
	VCVTPS2PD X14, Y7
	VMULPD Y7, Y9, Y9
	VMULPD Y7, Y10, Y10
	VCVTPD2DQY Y9, X9
	VCVTPD2DQY Y10, X10
	VINSERTI128 $1, X10, Y9, Y9
	VPOR Y9, Y8, Y8
	VMULPS Y4, Y4, Y7
	VADDPS Y7, Y8, Y6
	VMOVUPS Y6, 544(DI)
	FAINT(Y6, Y7)
	VXORPS Y8, Y8, Y8
	VCMPPS $0, Y8, Y4, Y8
	VPAND Y8, Y7, Y7
	VBLENDVPS Y7, Y11, Y6, Y6
	JMP layerBackQStep

// func outputAVX(h, out *float32) float32
TEXT ·outputAVX(SB), NOSPLIT, $0-20
	MOVQ h+0(FP), DI
	MOVQ out+8(FP), SI
	VXORPS Y2, Y2, Y2
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	VMAXPS Y2, Y0, Y0 // zero for what is no number
	VMAXPS Y2, Y1, Y1
	VMULPS (SI), Y0, Y0
	VMULPS 32(SI), Y1, Y1
	VADDPS Y1, Y0, Y0
	VHADDPS Y0, Y0, Y0
	VHADDPS Y0, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDSS X1, X0, X0
	VMOVSS X0, ret+16(FP)
	VZEROUPPER
	RET

// func outputBackAVX(d, acc, h, dh *float32, grad, rate float32)
TEXT ·outputBackAVX(SB), NOSPLIT, $0-40
	MOVQ d+0(FP), DI
	MOVQ acc+8(FP), SI
	MOVQ h+16(FP), DX
	MOVQ dh+24(FP), R8
	VBROADCASTSS grad+32(FP), Y0
	VBROADCASTSS rate+36(FP), Y15
	VBROADCASTSS rootGuess<>(SB), Y14
	VBROADCASTSS half<>(SB), Y13
	VBROADCASTSS threeHalves<>(SB), Y12
	VXORPS Y11, Y11, Y11
	MOVQ $2, CX

outputBackEight:
	VMOVUPS (DX), Y1
	VCMPPS $0x1E, Y11, Y1, Y2 // h > 0
	VANDPS Y2, Y1, Y1
	VMOVUPS 64(DI), Y3
	VMULPS Y3, Y0, Y4
	VANDPS Y2, Y4, Y4 // dh
	VMOVUPS Y4, (R8)
	VMULPS Y1, Y0, Y1
	VMULPS Y1, Y1, Y5
	VADDPS 64(SI), Y5, Y5
	VMOVUPS Y5, 64(SI)
	RSQRT(Y5, Y6, Y7, Y8, Y14, Y13, Y12)
	VMULPS Y6, Y15, Y6
	VMULPS Y1, Y6, Y6
	VSUBPS Y6, Y3, Y3
	VMOVUPS Y3, 64(DI)
	VMULPS Y4, Y4, Y5
	VADDPS (SI), Y5, Y5
	VMOVUPS Y5, (SI)
	RSQRT(Y5, Y6, Y7, Y8, Y14, Y13, Y12)
	VMULPS Y6, Y15, Y6
	VMULPS Y4, Y6, Y6
	VMOVUPS (DI), Y3
	VSUBPS Y6, Y3, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, DX
	ADDQ $32, R8
	ADDQ $32, DI
	ADDQ $32, SI
	DECQ CX
	JNZ outputBackEight
	VZEROUPPER
	RET

// A token is {read, learn, field uint32; x float32}.

// func readJAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32
TEXT ·readJAVX(SB), NOSPLIT, $0-60
	MOVQ tokens+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ e+32(FP), R10
	MOVQ a+40(FP), R11
	MOVQ rowBytes+48(FP), R12
	VXORPS X4, X4, X4

readJToken:
	MOVL 0(SI), AX
	ENTRY
	MOVL 8(SI), DX
	VBROADCASTSS 12(SI), Y0
	VMULSS (DI), X0, X1
	VADDSS X1, X4, X4
	MOVQ DX, BX
	SHLQ $5, BX
	VMULPS 16(DI), Y0, Y1
	VADDPS (R10)(BX*1), Y1, Y1
	VMOVUPS Y1, (R10)(BX*1)
	IMULQ R12, DX
	ADDQ R11, DX
	ADDQ $48, DI
	MOVQ R12, BX

readJEight:
	VMULPS (DI), Y0, Y1
	VMULPS 32(DI), Y0, Y2
	VADDPS (DX), Y1, Y1
	VADDPS 32(DX), Y2, Y2
	VMOVUPS Y1, (DX)
	VMOVUPS Y2, 32(DX)
	ADDQ $64, DI
	ADDQ $64, DX
	SUBQ $64, BX
	JG readJEight
	ADDQ $16, SI
	DECQ CX
	JNZ readJToken
	VMOVSS X4, ret+56(FP)
	VZEROUPPER
	RET

// func readCQPAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32)
TEXT ·readCQPAVX(SB), NOSPLIT, $0-48
	MOVQ tokens+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ lin+32(FP), R11
	MOVQ e+40(FP), R10
	VMOVUPS (R11), X4

readCQPToken:
	MOVL 0(SI), AX
	ENTRY
	MOVL 8(SI), DX
	VBROADCASTSS 12(SI), Y0
	VMULPS (DI), X0, X1
	VADDPS X1, X4, X4
	SHLQ $5, DX
	VMULPS 16(DI), Y0, Y2
	VADDPS (R10)(DX*1), Y2, Y2
	VMOVUPS Y2, (R10)(DX*1)
	ADDQ $16, SI
	DECQ CX
	JNZ readCQPToken
	VMOVUPS X4, (R11)
	VZEROUPPER
	RET

// func stepCQPAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, de *float32, p *Step) float64
TEXT ·stepCQPAVX(SB), NOSPLIT, $0-56
	MOVQ tokens+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ de+32(FP), R12
	MOVQ p+40(FP), R10
	VMOVUPS 0(R10), X12         // gradients
	VMOVUPS 16(R10), X13        // wealth
	VMOVSS 32(R10), X10         // lead
	VBROADCASTSS 36(R10), Y11   // rate
	VBROADCASTSS forget<>(SB), Y14
	VBROADCASTSS rootGuess<>(SB), Y8
	VPCMPEQD X15, X15, X15
	VPSRLD $1, X15, X15
	VXORPD X9, X9, X9

stepCQPToken:
	MOVL 4(SI), AX
	TESTL AX, AX
	JEQ stepCQPNext
	ENTRY
	MOVL 8(SI), DX
	SHLQ $5, DX
	VBROADCASTSS 12(SI), Y0
	VANDPS X15, X0, X1
	VMULSS X10, X1, X1
	VBROADCASTSS X1, X1
	VMOVUPS 80(DI), X4     // r; M in its last lane
	VPERMILPS $0xFF, X4, X7
	VMAXPS X7, X1, X7      // M
	VMULPS X12, X0, X2     // gx
	VMULPS (DI), X2, X3    // gx*w
	VSUBPS X3, X4, X4
	VBLENDPS $8, X7, X4, X4
	VMOVUPS X4, 80(DI)
	VMOVUPS 48(DI), X5
	VSUBPS X2, X5, X5      // t
	VMOVUPS X5, 48(DI)
	VANDPS X15, X2, X2
	VADDPS 64(DI), X2, X2  // g
	VMOVUPS X2, 64(DI)
	VADDPS X13, X4, X4
	VMULPS X5, X4, X4
	VADDPS X7, X2, X2
	VMULPS X7, X2, X2
	VBLENDPS $8, X0, X4, X4 // and x/M in the last lane
	VBLENDPS $8, X7, X2, X2
	VDIVPS X2, X4, X4
	VPERMILPS $0xFF, X4, X1
	VMULSS X1, X1, X1
	VCVTSS2SD X1, X1, X1
	VADDSD X1, X9, X9
	VXORPS X1, X1, X1
	VBLENDPS $8, X1, X4, X4
	VMOVUPS X4, (DI)
	VMULPS (R12)(DX*1), Y0, Y2 // gd
	VMULPS 96(DI), Y14, Y3
	VMULPS Y2, Y2, Y4
	VADDPS Y4, Y3, Y3
	VMOVUPS Y3, 96(DI)
	VBROADCASTSS half<>(SB), Y6
	VBROADCASTSS threeHalves<>(SB), Y7
	RSQRT(Y3, Y4, Y5, Y1, Y8, Y6, Y7)
	VMULPS Y4, Y11, Y4
	VMULPS Y2, Y4, Y4
	VMOVUPS 16(DI), Y3
	VSUBPS Y4, Y3, Y3
	VMOVUPS Y3, 16(DI)

stepCQPNext:
	ADDQ $16, SI
	DECQ CX
	JNZ stepCQPToken
	VMOVSD X9, ret+48(FP)
	VZEROUPPER
	RET

// func stepJAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, a *float32, room int, de, square *float32, p *Step) float64
TEXT ·stepJAVX(SB), NOSPLIT, $0-80
	MOVQ tokens+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ chunks+16(FP), R8
	MOVQ strideBytes+24(FP), R9
	MOVQ a+32(FP), R10
	MOVQ room+40(FP), R11
	MOVQ de+48(FP), R12
	MOVQ square+56(FP), R13
	MOVQ p+64(FP), R14
	MOVQ R11, DX
	SHLQ $4, DX           // bytes of a row of a
	LEAQ (DX)(DX*2), R15
	VBROADCASTSS rootGuess<>(SB), X12
	VBROADCASTSS half<>(SB), X11
	VBROADCASTSS threeHalves<>(SB), X10
	VBROADCASTSS quarter<>(SB), X13
	VXORPD X9, X9, X9

stepJToken:
	MOVL 4(SI), AX
	TESTL AX, AX
	JEQ stepJNext
	ENTRY
	VMOVSS 12(SI), X0            // x
	VPCMPEQD X1, X1, X1
	VPSRLD $1, X1, X1            // all but the sign
	LEAQ 48(DI)(DX*1), BX        // [M, T, G, R]
	VANDPS X1, X0, X2
	VMULSS 32(R14), X2, X2       // |x|*lead
	VMAXSS (BX), X2, X2          // M
	VMOVSS X2, (BX)
	VMULSS 0(R14), X0, X3        // gx
	VMULSS (DI), X3, X4
	VMOVSS 12(BX), X5
	VSUBSS X4, X5, X5            // R
	VMOVSS X5, 12(BX)
	VMOVSS 4(BX), X6
	VSUBSS X3, X6, X6            // T
	VMOVSS X6, 4(BX)
	VANDPS X1, X3, X3
	VADDSS 8(BX), X3, X3         // G
	VMOVSS X3, 8(BX)
	VADDSS 16(R14), X5, X5
	VMULSS X6, X5, X5            // (wealth+R)*T
	VADDSS X3, X2, X3
	VMULSS X3, X2, X3            // M*(M+G)
	VUNPCKLPS X0, X5, X5         // [(wealth+R)*T, x]
	VUNPCKLPS X2, X3, X3         // [M*(M+G), M]
	VDIVPS X3, X5, X5
	VMOVSS X5, (DI)
	VMOVSHDUP X5, X5
	VMULSS X5, X5, X5
	VCVTSS2SD X5, X5, X5
	VADDSD X5, X9, X9
	MOVL 8(SI), AX               // field
	VMULSS X0, X0, X3
	VMULSS (R13)(AX*4), X3, X3
	VADDSS 16(BX), X3, X3
	VMOVSS X3, 16(BX)
	RSQRT(X3, X4, X5, X6, X12, X11, X10)
	VMULSS 36(R14), X4, X4
	VMULSS X0, X4, X4
	VBROADCASTSS X4, Y4
	MOVQ AX, R11
	SHLQ $5, R11
	VMULPS (R12)(R11*1), Y4, Y4
	VMOVUPS 16(DI), Y5
	VSUBPS Y4, Y5, Y5
	VMOVUPS Y5, 16(DI)
	VMULSS 4(R14), X0, X15
	VBROADCASTSS X15, X15
	VBROADCASTSS 40(R14), X14
	MOVQ SI, R11
	LEAQ 32(BX), SI
	ADDQ $48, DI
	SHLQ $4, AX
	LEAQ (R10)(AX*1), BX
	MOVQ room+40(FP), AX

stepJFour:
	STEPFOUR(R15)
	SUBQ $4, AX
	JG stepJFour
	MOVQ R11, SI

stepJNext:
	ADDQ $16, SI
	DECQ CX
	JNZ stepJToken
	VMOVSD X9, ret+72(FP)
	VZEROUPPER
	RET

// A hit is {slot uint32; x float32}.

// func prefetchHits(hits *table.Hit, n int, table unsafe.Pointer, strideBytes int)
TEXT ·prefetchHits(SB), NOSPLIT, $0-32
	MOVQ hits+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ table+16(FP), DI
	MOVQ strideBytes+24(FP), DX

prefetchHit:
	MOVL (SI), AX
	IMULQ DX, AX
	PREFETCHT0 (DI)(AX*1)
	ADDQ $8, SI
	DECQ CX
	JG prefetchHit
	RET

// func Prefetch(p unsafe.Pointer, lines int)
TEXT ·Prefetch(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ lines+8(FP), CX

prefetchLine:
	PREFETCHT0 (DI)
	ADDQ $64, DI
	DECQ CX
	JG prefetchLine
	RET

// func dotAVX(a, b *float32, n int) float32
TEXT ·dotAVX(SB), NOSPLIT, $0-28
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ n+16(FP), CX
	VXORPS Y0, Y0, Y0

dotLoop:
	VMOVUPS (DI), Y1
	VMULPS (SI), Y1, Y1
	VADDPS Y1, Y0, Y0
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JG dotLoop
	VHADDPS Y0, Y0, Y0
	VHADDPS Y0, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDSS X1, X0, X0
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func adagradAVX(w, acc, grad *float32, n int, x, rate float32)
TEXT ·adagradAVX(SB), NOSPLIT, $0-40
	MOVQ w+0(FP), DI
	MOVQ acc+8(FP), SI
	MOVQ grad+16(FP), DX
	MOVQ n+24(FP), CX
	VBROADCASTSS x+32(FP), Y0
	VBROADCASTSS rate+36(FP), Y1
	VBROADCASTSS rootGuess<>(SB), Y14
	VBROADCASTSS half<>(SB), Y13
	VBROADCASTSS threeHalves<>(SB), Y12

adagradLoop:
	VMULPS (DX), Y0, Y2
	VMULPS Y2, Y2, Y3
	VADDPS (SI), Y3, Y3
	VMOVUPS Y3, (SI)
	RSQRT(Y3, Y4, Y5, Y6, Y14, Y13, Y12)
	VMULPS Y4, Y1, Y4
	VMULPS Y2, Y4, Y4
	VMOVUPS (DI), Y2
	VSUBPS Y4, Y2, Y2
	VMOVUPS Y2, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, DX
	SUBQ $8, CX
	JG adagradLoop
	VZEROUPPER
	RET

// func addRowsAVX(az, inv, x *float64, dims *uint16, n, lanes int)
TEXT ·addRowsAVX(SB), NOSPLIT, $0-48
	MOVQ az+0(FP), DI
	MOVQ inv+8(FP), SI
	MOVQ x+16(FP), BX
	MOVQ dims+24(FP), DX
	MOVQ n+32(FP), CX
	MOVQ lanes+40(FP), R8

addRowsLanes:                        // eight at a time, over all rows in their order
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	XORQ R9, R9

addRowsRow:
	MOVWLZX (DX)(R9*2), R10
	VBROADCASTSD (BX)(R10*8), Y2
	SHLQ $9, R10                 // bytes of a row: 64 doubles
	VMULPD (SI)(R10*1), Y2, Y3
	VMULPD 32(SI)(R10*1), Y2, Y4
	VADDPD Y3, Y0, Y0
	VADDPD Y4, Y1, Y1
	INCQ R9
	CMPQ R9, CX
	JLT addRowsRow
	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	ADDQ $64, DI
	ADDQ $64, SI
	SUBQ $8, R8
	JNZ addRowsLanes
	VZEROUPPER
	RET

// func subtractSquareAVX(inv, az *float64, lanes int)
TEXT ·subtractSquareAVX(SB), NOSPLIT, $0-24
	MOVQ inv+0(FP), DI
	MOVQ az+8(FP), SI
	MOVQ lanes+16(FP), CX
	XORQ R9, R9

subtractSquareRow:
	VBROADCASTSD (SI)(R9*8), Y2
	XORQ R10, R10

subtractSquareLanes:
	VMULPD (SI)(R10*8), Y2, Y0
	VMULPD 32(SI)(R10*8), Y2, Y1
	VMOVUPD (DI)(R10*8), Y3
	VMOVUPD 32(DI)(R10*8), Y4
	VSUBPD Y0, Y3, Y3
	VSUBPD Y1, Y4, Y4
	VMOVUPD Y3, (DI)(R10*8)
	VMOVUPD Y4, 32(DI)(R10*8)
	ADDQ $8, R10
	CMPQ R10, CX
	JLT subtractSquareLanes
	ADDQ $512, DI
	INCQ R9
	CMPQ R9, CX
	JLT subtractSquareRow
	VZEROUPPER
	RET
