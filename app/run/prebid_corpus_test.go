package run_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The requests of Prebid Server's own tests, of some 380 adapters and of its endpoints, all get an
// answer, and bids keep to what is asked.
func TestRequestsOfPrebidServersTestsGetAnswers(t *testing.T) {
	source := filepath.Join(prebidFolder(t), "source")
	l := bidding(t)
	statuses := map[int]int{}
	bids := 0
	for _, dir := range []string{"adapters", "endpoints/openrtb2/sample-requests", "exchange/exchangetest"} {
		root := filepath.Join(source, dir) + string(filepath.Separator) // source is a link
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
				return err
			}
			body := mockRequest(t, path)
			if body == nil {
				return nil
			}
			name := strings.TrimPrefix(path, source)
			status, answer := exchange(t, l, body, nil)
			statuses[status]++
			switch {
			case status == 200:
				bids += checkBids(t, name, body, answer)
			case status == 400 && len(answer) > 0:
				t.Errorf("%s: 400 with %s", name, answer)
			case status == 400 && strings.Contains(path, "exemplary"):
				t.Errorf("%s: 400 for %s", name, body)
			case status != 204 && status != 400:
				t.Errorf("%s: %d %s for %s", name, status, answer, body)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("answers by status %v, %d bids", statuses, bids)
	if sent := statuses[200] + statuses[204] + statuses[400]; sent < 3400 || bids < sent/4 {
		t.Errorf("%d answers with %d bids, want more than 3,400 and a bid for every fourth", sent, bids)
	}
}

// mockRequest is the bid request in a file of Prebid Server's tests; nil where there is none.
func mockRequest(t *testing.T, path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		MockBidRequest  json.RawMessage
		IncomingRequest struct{ OrtbRequest json.RawMessage }
	}
	if json.Unmarshal(text, &file) != nil {
		return nil
	}
	for _, body := range []json.RawMessage{file.MockBidRequest, file.IncomingRequest.OrtbRequest} {
		if len(body) > 0 && body[0] == '{' {
			return body
		}
	}
	return nil
}
