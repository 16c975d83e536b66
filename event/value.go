package event

// ValueKind says which member of a Value holds it.
type ValueKind uint8

const (
	// Null is a value that is known to be missing, null in JSON.
	Null ValueKind = iota
	// String is a text or a category. JSON booleans become "true" and "false".
	String
	// Number is a finite number. A whole number that float64 would round is a String of its digits.
	Number
	// List is several weighted tokens. In JSON it is an array of strings, numbers (tokens of that
	// text) and pairs ["token", weight].
	List
)

// Value is one named fact of a context or of a prediction's features.
type Value struct {
	Kind ValueKind
	Str  string
	Num  float64
	List []WeightedToken
}

// WeightedToken is an element of a List; Weight is 1 where JSON gives none.
type WeightedToken struct {
	Token  string
	Weight float64
}

// Field is a named Value. A nested JSON object is flattened: {"geo":{"country":"DE"}} is the Field
// "geo.country".
type Field struct {
	Name  string
	Value Value
}

// Fields keeps the order in which facts were given. The network sums in this order, so messages are
// written and read in it.
type Fields []Field
