package openrtb

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"

	"github.com/prebid/openrtb/v20/native1/request"

	"github.com/clickloop/clickloop/bidder/auction"
)

// native is a request with a native place.
func native(req, members string) string {
	return withForm(`"native":{"request":` + strconv.Quote(req) + members + `}`)
}

func TestNativeRequests(t *testing.T) {
	const assets = `"assets":[{"id":1,"required":1,"title":{"len":90}},{"id":2,"img":{"type":3,"w":1200,"wmin":600,"hmin":315,"mimes":["image/PNG"]}},` +
		`{"id":4,"data":{"type":12,"len":15}},{"id":5,"video":{"mimes":["video/mp4"],"maxduration":30}},{"id":6}]`
	want := []auction.Asset{
		{ID: 1, Required: true, Kind: auction.AssetTitle, Length: 90},
		{ID: 2, Kind: auction.AssetImage, Type: 3, W: 1200, MinW: 600, MinH: 315, MIMEs: []string{"image/png"}},
		{ID: 4, Kind: auction.AssetData, Type: 12, Length: 15},
		{ID: 5, Kind: auction.AssetVideo, Video: &auction.Video{MIMEs: []string{"video/mp4"}, MaxDuration: 30}},
		{ID: 6},
	}
	f := func(body, version string, wrapped bool) {
		t.Helper()
		n := accept(t, body).Imps[0].Native
		if n.Version != version || n.Wrapped != wrapped || !reflect.DeepEqual(n.Assets, want) {
			t.Errorf("%s reads as %+v", body, n)
		}
	}
	f(native(`{`+assets+`}`, ""), "", false)
	f(native(`{"ver":"1.2",`+assets+`}`, `,"ver":"1.1"`), "1.2", false)
	f(native(`{`+assets+`}`, `,"ver":"1.1"`), "1.1", false)
	f(native(`{"native":{"ver":"1.1",`+assets+`}}`, ""), "1.1", true)
	f(native(`{"native":{`+assets+`}}`, `,"ver":"1.2"`), "1.2", true)
	f(native(`{`+assets+`}`, `,"ver":"1.0"`), "1.0", true)
	f(withForm(`"native":{"request":{"ver":"1.2",`+assets+`}}`), "1.2", false)
	var library request.Request
	if err := json.Unmarshal([]byte(`{`+assets+`}`), &library); err != nil || len(library.Assets) != len(want) {
		t.Errorf("the library reads %+v (%v)", library, err)
	}
}

func TestAssetsWithoutIDsAreNumbered(t *testing.T) {
	n := accept(t, native(`{"assets":[{"title":{"len":20}},{"id":null,"img":{"wmin":30}}]}`, "")).Imps[0].Native
	if n.Assets[0].ID != 0 || n.Assets[1].ID != 1 {
		t.Errorf("%+v", n.Assets)
	}
}

func TestTrackersOfNativePlaces(t *testing.T) {
	n := accept(t, native(`{"assets":[{"title":{}}],"eventtrackers":[{"event":1,"methods":[1,2]},{},{"event":"x","methods":[1]},{"event":2},7,{"event":501,"methods":["1",{}]}]}`, `,"api":[7],"battr":[3]`)).Imps[0].Native
	want := []auction.Tracker{{Event: 1, Methods: []int{1, 2}}, {Event: 501, Methods: []int{1}}}
	if !reflect.DeepEqual(n.Trackers, want) || n.APIs[0] != 7 || n.BlockedAttributes[0] != 3 {
		t.Errorf("%+v", n)
	}
}

func TestNativeRequestsThatCannotBeReadAreRefused(t *testing.T) {
	f := func(req, want string) {
		t.Helper()
		refused(t, native(req, ""), "imp[0].native"+want)
	}
	f(``, " has no request")
	f(`{}`, ".request has no assets")
	f(`{"assets":[]}`, ".request has no assets")
	f(`{"assets":{}}`, ".request.assets is an object")
	f(`nonsense`, ".request is no native request")
	f(`[]`, ".request is no native request")
	f(`{"assets":[`, ".request cannot be read: the value is not JSON")
	f(`{"native":{}}`, ".request.native has no assets")
	f(`{"native":{"native":{"assets":[{"title":{}}]}}}`, ".request.native.native is within another")
	f(`{"native":7}`, ".request.native is a number")
	f(`{"assets":[7]}`, ".request.assets[0] is a number")
	f(`{"assets":[{"id":1,"title":{}},{"id":1,"data":{}}]}`, ".request.assets[1] has the id of another asset")
	f(`{"assets":[{"id":1,"title":{}},{"data":{}}]}`, ".request.assets have an id in part")
	f(`{"assets":[{"title":{},"data":{}}]}`, ".request.assets[0] is more than one")
	f(`{"assets":[{"title":"x"}]}`, ".request.assets[0].title is a text")
	f(`{"assets":[{"title":{"len":"x"}}]}`, ".request.assets[0].title.len is a text")
	f(`{"assets":[{"img":{"wmin":-1}}]}`, ".request.assets[0].img.wmin is -1")
	f(`{"assets":[{"video":{}}]}`, ".request.assets[0].video has no mimes")
}
