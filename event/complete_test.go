package event

import "testing"

func TestAnEventIsCompletedFromItsReceipt(t *testing.T) {
	const produced = Time(1_764_000_000_000)
	hours := func(n int64) Time { return Time(n * 3_600_000) }
	f := func(time, received, wantTime, wantReceived Time, ok bool) {
		t.Helper()
		e := Event{Type: TypeClick, Time: time, Received: received}
		if err := e.Complete(produced); (err == nil) != ok || ok && (e.Time != wantTime || e.Received != wantReceived) {
			t.Errorf("time %d, received %d: %d, %d, %v; want %d, %d, %v", time, received, e.Time, e.Received, err, wantTime, wantReceived, ok)
		}
	}
	f(0, 0, produced, produced, true)
	f(5e11, 0, 0, 0, false) // before 2000
	f(produced-hours(5), 0, produced-hours(5), produced, true)
	f(produced+hours(1), 0, produced+hours(1), produced, true)
	f(produced+hours(1)+1, 0, produced, produced, true)
	f(produced+hours(24), 0, produced, produced, true)
	f(produced+hours(24)+1, 0, 0, 0, false)
	f(produced+hours(48), produced+hours(48), produced+hours(48), produced+hours(48), true) // recorded
	f(0, produced-hours(9), produced-hours(9), produced-hours(9), true)
}
