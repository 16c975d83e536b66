package half

import "golang.org/x/sys/cpu"

// Vector says whether the vector forms run. They give the same bits as the plain ones; tests turn
// them off. They need F16C, which came to processors before FMA did.
var Vector = cpu.X86.HasAVX2 && cpu.X86.HasFMA
