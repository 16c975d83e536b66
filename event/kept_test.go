package event

import (
	"fmt"
	"strings"
	"testing"
)

// Facts of a message that is read anew, and often kept, have the memory that they need, and none of
// another message's.
func TestFactsThatAreReadAnewHaveNoSpareMemory(t *testing.T) {
	var first Fields
	for _, n := range []int{0, 1, 5, 20, 33, keptFields + 1, 3} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `,"f%d":[%d,"x"]`, i, i)
		}
		var got Fields
		if err := got.UnmarshalJSON([]byte("{" + strings.TrimPrefix(text.String(), ",") + "}")); err != nil {
			t.Fatal(err)
		}
		if len(got) != n || cap(got) > n+n/8+2 {
			t.Errorf("%d facts have room for %d, want %d", len(got), cap(got), n)
		}
		for i := range got {
			if want := fmt.Sprint(i); got[i].Name != "f"+want || len(got[i].Value.List) != 2 || got[i].Value.List[0].Token != want {
				t.Errorf("of %d facts, the %d-th is %+v", n, i, got[i])
			}
		}
		if first == nil {
			first = got
		} else if first[0].Name != "f0" || first[0].Value.List[0].Token != "0" {
			t.Errorf("after %d other facts, the first ones are %+v", n, first)
		}
	}
}
