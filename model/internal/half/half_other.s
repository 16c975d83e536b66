//go:build !amd64

// The compiler allows functions without a body only beside an assembly file. No code of this
// processor calls the vector forms, so they need no body here.
