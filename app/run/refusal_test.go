package run_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/redis/go-redis/v9"
)

// kept is all that a running system keeps: the records of its topics, with their keys, and the keys
// and values of its Redis.
func kept(t *testing.T, l *run.Loop) []byte {
	t.Helper()
	var text []byte
	for _, topic := range append(event.Topics(config.Default().Objectives, 1), event.BiddingTopics()...) {
		text = append(text, bytes.Join(records(t, l, topic.Name), []byte("\n"))...)
	}
	if l.Services == nil {
		return text // a Redis of many tests
	}
	client := redis.NewClient(&redis.Options{Addr: l.Redis})
	defer client.Close()
	ctx := t.Context()
	for _, key := range client.Keys(ctx, "*").Val() {
		var value any
		switch kind := client.Type(ctx, key).Val(); kind {
		case "hash":
			value = client.HGetAll(ctx, key).Val()
		case "zset":
			value = client.ZRange(ctx, key, 0, -1).Val()
		case "string":
			value = client.Get(ctx, key).Val()
		case "set":
			value = client.SMembers(ctx, key).Val()
		default:
			t.Fatalf("the key %s is a %s", key, kind)
		}
		text = fmt.Appendf(text, "%s %v\n", key, value)
	}
	return text
}

// Whoever refuses leaves no id, no address and no counter anywhere, though the ad is shown, clicked
// and paid for. The ids of those who agree are there: the search finds what is there.
func TestARequestThatRefusesLeavesNothingOfItsUser(t *testing.T) {
	l := bidding(t)
	for name, members := range map[string]string{
		"agreed":     `"regs":{"gdpr":0}`,
		"coppa":      `"regs":{"coppa":1}`,
		"gdpr":       `"regs":{"gdpr":1}`,
		"gdpr25":     `"regs":{"ext":{"gdpr":1}}`,
		"us_privacy": `"regs":{"us_privacy":"1YYN"}`,
		"gpp":        `"regs":{"gpp":"` + usnat(1) + `","gpp_sid":[7]}`,
	} {
		body := fmt.Sprintf(`{"id":"a-%[1]s","at":2,"tmax":5000,"imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}]}}],"site":{"domain":"news.example","page":"https://news.example/?u=page-%[1]s"},`+
			`"device":{"ua":"Mozilla/5.0 Firefox/130.0","ip":"198.51.100.77","ipv6":"2001:db8::77","ifa":"ifa-%[1]s","didsha1":"sha-%[1]s","geo":{"country":"USA","lat":52.51234,"lon":13.41234,"zip":"90210"}},`+
			`"user":{"id":"person-%[1]s","buyeruid":"buyer-%[1]s","yob":1977,"eids":[{"source":"id.example","uids":[{"id":"eid-%[1]s"}]}],"data":[{"id":"p","segment":[{"id":"segment-%[1]s"}]}]},%[2]s}`, name, members)
		resp, err := http.Post("http://"+l.HTTP+"/openrtb2/bid", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			SeatBid []struct {
				Bid []struct{ Adm, NURL, BURL string }
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil || len(answer.SeatBid) != 1 {
			t.Fatalf("%s: %v, %d: an ad by context needs no consent", name, err, resp.StatusCode)
		}
		bid := answer.SeatBid[0].Bid[0]
		for _, address := range []string{bid.NURL, bid.BURL, noticeIn(t, bid.Adm, "imp"), noticeIn(t, bid.Adm, "click")} {
			if status, _ := fire(t, l, address, "1"); status >= 400 {
				t.Errorf("%s: %d of %s", name, status, address)
			}
		}
	}
	holding(t, l, event.TopicEvents, "type", event.TypeClick, 6)
	holding(t, l, event.TopicPredictions, "campaign", "banners", 6)
	holding(t, l, event.TopicBids, "step", event.StepBill, 6)
	text := kept(t, l)
	if !bytes.Contains(text, []byte("buyer-agreed")) {
		t.Error("the user who agreed is nowhere")
	}
	for _, secret := range []string{"198.51.100.77", "2001:db8", "52.51", "13.41", "1977", "page-"} {
		if at := bytes.Index(text, []byte(secret)); at >= 0 {
			t.Errorf("%s is kept: %s", secret, text[max(at-100, 0):min(at+100, len(text))])
		}
	}
	for _, name := range []string{"coppa", "gdpr", "gdpr25", "us_privacy", "gpp"} {
		for _, of := range []string{"person-", "buyer-", "ifa-", "sha-", "eid-", "segment-"} {
			if at := bytes.Index(text, []byte(of+name)); at >= 0 {
				t.Errorf("%s%s is kept: %s", of, name, text[max(at-100, 0):min(at+100, len(text))])
			}
		}
	}
}
