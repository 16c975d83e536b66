package campaign

import (
	"fmt"
	"os"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// MaxCampaigns is how many campaigns there may be.
const MaxCampaigns = 100_000

// maxFileBytes bounds a file of campaigns.
const maxFileBytes = 256 << 20

// fileForm is a file of campaigns. A campaign names an advertiser of the list by its id, or brings
// its own.
type fileForm struct {
	Advertisers []advertiserForm `yaml:"advertisers"`
	Campaigns   []form           `yaml:"campaigns"`
}

// Load reads the campaigns of a YAML file and checks them. Errors have the file and the line.
func Load(path string, objectives []string) ([]*Campaign, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFileBytes {
		err = fmt.Errorf("it has %d bytes, want at most %d", info.Size(), maxFileBytes)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read campaigns from %s: %w", path, err)
	}
	return ParseFile(path, text, objectives)
}

// ParseFile is Load of a text that was read from the file of the given name.
func ParseFile(name string, text []byte, objectives []string) ([]*Campaign, error) {
	var f fileForm
	file, problems, err := settings.Read(name, text, &f)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, file.Error(problems)
	}
	all, err := f.campaigns(objectives)
	if err != nil {
		return nil, file.Locate(err)
	}
	return all, nil
}

// campaigns translates and checks them. The error is a *field.Error.
func (f *fileForm) campaigns(objectives []string) ([]*Campaign, error) {
	advertisers, err := f.advertisers()
	if err != nil {
		return nil, err
	}
	if n := len(f.Campaigns); n > MaxCampaigns {
		return nil, field.Wrong("campaigns", "has %d elements, want at most %d", n, MaxCampaigns)
	}
	var all []*Campaign
	taken := newTaken()
	for i := range f.Campaigns {
		c, err := f.Campaigns[i].resolve(advertisers, objectives)
		if err == nil {
			err = taken.add(c)
		}
		if err != nil {
			return nil, field.Within(at("campaigns", i), err)
		}
		all = append(all, c)
	}
	return all, nil
}

func (f *fileForm) advertisers() (map[string]*advertiserForm, error) {
	known := map[string]*advertiserForm{}
	for i := range f.Advertisers {
		a := &f.Advertisers[i]
		switch {
		case a.Listed || a.ID == "":
			return nil, field.Wrong(at("advertisers", i), "has no id, want a section with id, domain, categories and seat")
		case known[a.ID] != nil:
			return nil, field.Wrong(at("advertisers", i)+".id", "is %s, which another advertiser has", strictjson.Quote(a.ID))
		}
		known[a.ID] = a
	}
	return known, nil
}

// resolve is check of a campaign that may name an advertiser of the list.
func (f *form) resolve(advertisers map[string]*advertiserForm, objectives []string) (*Campaign, error) {
	if f.Advertiser.Listed {
		a := advertisers[f.Advertiser.ID]
		if a == nil {
			return nil, field.Wrong("advertiser", "is %s, which is none of advertisers", strictjson.Quote(f.Advertiser.ID))
		}
		f.Advertiser = *a
	}
	return f.check(objectives)
}

// taken is which ids campaigns and creatives have.
type taken struct {
	campaigns map[string]bool
	creatives map[string]string // to campaigns
}

func newTaken() *taken { return &taken{campaigns: map[string]bool{}, creatives: map[string]string{}} }

// add refuses a campaign of which an id is taken.
func (t *taken) add(c *Campaign) error {
	if t.campaigns[c.ID] {
		return field.Wrong("id", "is %s, which another campaign has", strictjson.Quote(c.ID))
	}
	t.campaigns[c.ID] = true
	for i := range c.Creatives {
		id := c.Creatives[i].ID
		if other, ok := t.creatives[id]; ok {
			return field.Wrong(at("creatives", i)+".id", "is %s, which a creative of the campaign %s has", strictjson.Quote(id), strictjson.Quote(other))
		}
		t.creatives[id] = c.ID
	}
	return nil
}
