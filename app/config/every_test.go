package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// leaf is a setting of the configuration.
type leaf struct {
	path string
	of   reflect.Type
}

// leaves are all settings below t. A list of sections is shown by its first element, a section of
// free names by one that is named plain.
func leaves(path string, t reflect.Type) []leaf {
	name := func(f reflect.StructField) string {
		if path == "" {
			return f.Tag.Get("yaml")
		}
		return path + "." + f.Tag.Get("yaml")
	}
	var list []leaf
	switch {
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("yaml") == "-" {
				continue
			}
			list = append(list, leaves(name(t.Field(i)), t.Field(i).Type)...)
		}
		return list
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return leaves(path+"[0]", t.Elem())
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		return leaves(path+".plain", t.Elem())
	}
	return []leaf{{path, t}}
}

// siblings are what an element needs beside the setting under test.
var siblings = map[string][]string{
	"objectives[0]":                {"name: click", "trigger: impression", "positive: click", "window: 30m"},
	"features.shown[0]":            {"name: position", "serve: 1"},
	"features.profiles[0]":         {"entity: user", "aggregate: count", "event: click"},
	"model.mlp.layers[0]":          {"units: 4", "activation: relu"},
	"networks.plain.mlp.layers[0]": {"units: 4", "activation: relu"},
}

// document is a file with one setting, and its line. What more gives replaces siblings and comes
// after it.
func document(path, value string, more ...string) (text string, line int) {
	parts := strings.Split(path, ".")
	indent, lines, at := "", []string{}, ""
	for i, part := range parts {
		name, list := strings.CutSuffix(part, "[0]")
		if at += "." + part; i == len(parts)-1 {
			lines = append(lines, indent+strings.TrimSuffix(part, "[0]")+": "+value)
			line = len(lines)
			break
		}
		lines = append(lines, indent+name+":")
		indent += "  "
		if list {
			indent += "- "
		}
		if rest := strings.Join(parts[i+1:], "."); list {
			text, inner := document(rest, value)
			first := true
			for l := range strings.Lines(text) {
				if !first {
					indent = strings.ReplaceAll(indent, "-", " ")
				}
				lines, first = append(lines, indent+strings.TrimSuffix(l, "\n")), false
			}
			line = len(lines) - strings.Count(text, "\n") + inner
			indent = strings.ReplaceAll(indent, "-", " ")
			beside := siblings[strings.TrimPrefix(at, ".")]
			if len(more) > 0 {
				beside = more
			}
			for _, s := range beside {
				if key, _, _ := strings.Cut(s, ":"); key != parts[i+1] {
					lines = append(lines, indent+s)
				}
			}
			return strings.Join(lines, "\n") + "\n", line
		}
	}
	return strings.Join(lines, "\n") + "\n", line
}

// wrongKinds are values that no setting of a type takes.
func wrongKinds(t reflect.Type) []string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return []string{"30", "soon", "7 days", "5.5", "[1s]", "{a: 1s}", "true", "1y"}
	case t.Kind() == reflect.Slice:
		return []string{"lots", "{a: 1}", "5", "true"}
	case t.Kind() == reflect.Map:
		return []string{"lots", "[a]", "5"}
	case t.Kind() == reflect.Bool:
		return []string{"maybe", "1", "yes", "[true]", "{a: true}"}
	case t.Kind() == reflect.String:
		return []string{"{a: 1}", "[a]"}
	case t.Kind() == reflect.Float64:
		return []string{"lots", `"0.5"`, "[1]", "{a: 1}", "true", "1s"}
	}
	return []string{"lots", `"5"`, "1.5", "[1]", "{a: 1}", "true", "1s", "99999999999999999999999"}
}

// free are settings of which every value of their kind is right.
var free = regexp.MustCompile(`seed$|tls\.enabled$|^features\.profiles\[0\]\.(prior|name)$|^objectives\[0\]\.(trigger|segments|revisions)$|guard\.hold$|\.warm$|^insecure_public$|^bidding\.(enabled|tell_no_bid)$|^http2$|^tracing\.follow$`)

func TestEverySettingOfAWrongKindIsToldWithItsPlace(t *testing.T) {
	all := leaves("", reflect.TypeFor[Config]())
	if len(all) < 120 {
		t.Fatalf("%d settings are found", len(all))
	}
	for _, l := range all {
		for _, value := range wrongKinds(l.of) {
			text, line := document(l.path, value)
			_, err := Parse("f.yaml", []byte(text))
			want := fmt.Sprintf("f.yaml:%d:", line)
			if err == nil || !strings.HasPrefix(err.Error(), want) || !regexp.MustCompile(`\d: `+regexp.QuoteMeta(l.path)+` is .*, (want|which)`).MatchString(err.Error()) {
				t.Errorf("%s: %v, want %s and what is allowed\n%s", l.path, err, want, text)
				continue
			}
			numeric := l.of.Kind() == reflect.Int || l.of.Kind() == reflect.Int64 || l.of.Kind() == reflect.Float64
			first, _, _ := strings.Cut(err.Error(), "\n")
			if numeric && !free.MatchString(l.path) && !regexp.MustCompile(`; allowed: .*\d`).MatchString(first) && !strings.Contains(l.path, "profiles") {
				t.Errorf("%s: %s does not say which values are allowed", l.path, first)
			}
		}
	}
}

func TestEverySettingThatIsMisspeltIsToldWithTheRightName(t *testing.T) {
	for _, l := range leaves("", reflect.TypeFor[Config]()) {
		at := strings.LastIndex(l.path, ".") + 1
		name := l.path[at:]
		wrong := strings.ToUpper(name)
		if len(name) > 3 {
			wrong = name[:1] + name[2:] // a letter is left out
		}
		text, line := document(l.path[:at]+wrong, "1")
		_, err := Parse("f.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("f.yaml:%d:", line)) || !strings.Contains(err.Error(), fmt.Sprintf("unknown field %q", wrong)) ||
			!strings.Contains(err.Error(), "did you mean "+name+"?") {
			t.Errorf("%s: %v, want line %d and %s\n%s", l.path, err, line, name, text)
		}
	}
}

// outOfRange are values of the right kind that are not allowed. What is given after a # stands
// beside the setting.
var outOfRange = map[string][]string{
	"kafka.brokers":                   {`[localhost]`, `["http://localhost:9092"]`, `["localhost:0"]`, `["localhost:65536"]`, `["a:b"]`, `[":9092"]`, `["a:1", "a:1"]`, `["u:secret@a:1"]`, `[""]`, `["a:1,b:1"]`, `["a:1/x"]`},
	"kafka.prefix":                    {`"click loop."`, `"a/"`, `"é"`, `"` + strings.Repeat("a", 65) + `"`},
	"kafka.partitions":                {"0", "-1", "1001"},
	"kafka.tls.ca_file":               {"ca.pem"},
	"kafka.tls.cert_file":             {"client.pem"},
	"kafka.tls.key_file":              {"client.key"},
	"kafka.tls.server_name":           {"kafka.example.com"},
	"kafka.sasl.mechanism":            {"GSSAPI", "scram-sha-512"},
	"kafka.sasl.username":             {"clickloop"},
	"kafka.sasl.password_file":        {"password"},
	"redis.address":                   {"localhost", `"localhost:"`, `":6379"`, "localhost:0", "localhost:70000", "http://localhost:6379", "redis://", "redis://:secret/x@h:1", "redis://h:99999", "redis://h:x", "redis://h:1/none", "redis://h:1?nope=1", "u:secret@h:6379"},
	"redis.username":                  {`"a b"`, "ann"},
	"redis.password_file":             {"password"},
	"redis.tls.enabled":               {"true"},
	"redis.tls.ca_file":               {"ca.pem"},
	"redis.tls.cert_file":             {"client.pem"},
	"redis.tls.key_file":              {"client.key"},
	"redis.tls.server_name":           {"redis.test"},
	"http":                            {"8080", "localhost", "localhost:http", "localhost:65536", "http://localhost:8080", `":-1"`, `""`},
	"admin":                           {"8081", "localhost", "localhost:http", "localhost:65536", "http://localhost:8081", `":-1"`, `""`},
	"https.cert_file":                 {"cert.pem"},
	"https.key_file":                  {"key.pem"},
	"admin_https.cert_file":           {"cert.pem"},
	"admin_https.key_file":            {"key.pem"},
	"data":                            {"every_test.go", `" data"`},
	"clock":                           {"walls", `""`},
	"features.context":                {`["ad*"]`, `[""]`, `["*.x"]`, `["a.*.*"]`},
	"features.drop":                   {`["*"]`, `["*id"]`, `[""]`},
	"features.cross":                  {`[[a]]`, `[[a, b, c, d]]`, `[[a, a]]`, `[[a, ""]]`, `[[a, b], [a, b]]`},
	"features.shown[0].name":          {`""`, "ad", "campaign", "user.clicks_1h", `"` + strings.Repeat("a", 65) + `"`},
	"features.shown[0].from":          {"properties.", "context."},
	"features.shown[0].serve":         {`""`, `"` + strings.Repeat("a", 257) + `"`},
	"features.profiles[0].entity":     {"users", `""`, "context."},
	"features.profiles[0].aggregate":  {"median", `""`},
	"features.profiles[0].event":      {`""`, `"a#b"`},
	"features.profiles[0].window":     {"1m", "400d", "-1h", "0", "soon", "30"},
	"features.profiles[0].half_life":  {"1m", "100d", "-1h", "30"},
	"features.profiles[0].value":      {"value", "price # aggregate: sum # entity: user # event: click"},
	"features.profiles[0].over":       {"impression", `"a#b" # aggregate: ratio # entity: user # event: click`},
	"features.profiles[0].weight":     {"-1 # aggregate: ratio # entity: user # event: click # over: impression", ".inf # aggregate: ratio # entity: user # event: click # over: impression"},
	"objectives[0].name":              {`""`, "a.b", `"a b"`, strings.Repeat("a", 65)},
	"objectives[0].positive":          {`""`, "prediction", "heartbeat"},
	"objectives[0].window":            {"0s", "-1s", "91d", "999999w", "1us"},
	"objectives[0].networks":          {"[plain]", "[default, default]"},
	"objectives[0].serve":             {"plain"},
	"model.table_bits":                {"3", "29", "-1"},
	"model.max_fields":                {"0", "1025"},
	"model.admission":                 {"-1", "101"},
	"model.expiry":                    {"-1", "1"},
	"model.prior":                     {"0", "1", "-0.1", ".nan", ".inf"},
	"model.network":                   {"[lstm]", "[linear, linear]"},
	"model.numbers":                   {"rank", "raw"},
	"model.apart":                     {`[""]`, "[a, a]"},
	"model.cross":                     {"[[a]]", "[[a, b]]"},
	"model.output":                    {"tanh", "softmax"},
	"model.loss":                      {"hinge", "mse"},
	"model.classes":                   {"0", "2", "-1"},
	"model.clip":                      {"-1", ".inf", ".nan"},
	"model.calibration.kind":          {"platt", `""`},
	"model.calibration.by":            {"[a, a]", `[""]`, "[a, b, c, d]"},
	"model.calibration.minimum":       {"0", "-1", "1e10", ".nan"},
	"model.calibration.max_slices":    {"0", "65537"},
	"model.ffm.k":                     {"0", "65"},
	"model.ffm.init":                  {"-1", "11", ".nan"},
	"model.mlp.embedding":             {"0", "257"},
	"model.mlp.init":                  {"-1", "11"},
	"model.mlp.layers[0].units":       {"0", "4097"},
	"model.mlp.layers[0].activation":  {"gelu", `""`},
	"model.mlp.dropout":               {"-0.1", "1"},
	"ingest.max_body":                 {"0", "67108865", "-1"},
	"ingest.max_events":               {"0", "100001"},
	"ingest.max_waiting":              {"0", "1024"},
	"ingest.max_age":                  {"{click: 0s}", "{click: 59s}", `{"*": -1h}`, "{heartbeat: 1h}", `{"": 1h}`},
	"ingest.rate":                     {"0", "-5", ".nan"},
	"ingest.acknowledge":              {"0s", "2m", "-1s"},
	"ingest.heartbeat":                {"0s", "2m", "-1s"},
	"ingest.cors_origins":             {"[shop.example]", `["https://shop.example/"]`, `["https://shop.example:443"]`, `["http://*"]`, `["null"]`, `["https://Shop.example"]`, `["https://*.*.example"]`, `["https://u:secret@shop.example"]`},
	"shutdown_delay":                  {"-1s", "6m"},
	"scorer.max_body":                 {"0", "67108865"},
	"scorer.max_candidates":           {"0", "10001"},
	"scorer.max_in_flight":            {"0", "-1"},
	"scorer.value":                    {`"p.click > 1"`, `"true"`},
	"scorer.max_queue_time":           {"-1ms", "49us", "2s"},
	"scorer.max_waiting":              {"0", "-1"},
	"scorer.max_remembered":           {"0", "1048575", "-1"},
	"scorer.max_others":               {"-1", "201"},
	"scorer.spool":                    {".", "/", `" spool"`},
	"scorer.drain":                    {"-1s", "61m"},
	"tracing.endpoint":                {"localhost:4318", "ftp://localhost"},
	"tracing.share":                   {"-0.1", "1.1"},
	"tracing.most":                    {"0", "100001"},
	"watermark.lease":                 {"99ms", "61m"},
	"watermark.ahead":                 {"9ms", "6s"},
	"scorer.tmax":                     {"0s", "2m"},
	"scorer.profile_cache.bytes":      {"-1", "1048575", "68719476737"},
	"scorer.profile_cache.max_age":    {"9ms", "61m"},
	"scorer.publish_wait":             {"0s", "2m"},
	"scorer.items.catalogues":         {`["a b"]`, `[""]`, `[items, items]`, `["` + strings.Repeat("a", 65) + `"]`},
	"scorer.items.max_items":          {"0", "10000001"},
	"scorer.items.max_bytes":          {"0", "1000000"},
	"scorer.items.limit":              {"0", "10001"},
	"scorer.epsilon":                  {"-0.1", "1.1", ".nan", "2"},
	"scorer.policy":                   {"best", "epsilon", "epsilon:1.1", "softmax:0", "softmax:hot", "thompson:0", "greedy:1"},
	"scorer.prior":                    {"0", "1", ".nan"},
	"feedback.outcome_ttl":            {"59s", "-1h"},
	"feedback.batch":                  {"0", "10001"},
	"feedback.revise_within":          {"-1s", "13h"},
	"feedback.sign_key":               {".", `" key"`, `"key "`},
	"feedback.guard.min_examples":     {"0"},
	"feedback.guard.calibration_low":  {"-1", "1", ".nan"},
	"feedback.guard.calibration_high": {"1", ".nan"},
	"feedback.guard.rate_low":         {"-1", "1"},
	"feedback.guard.rate_high":        {"0", "1.1"},
	"feedback.guard.coverage_low":     {"-0.1", "1.1"},
	"learner.publish":                 {"-1s", "2h"},
	"learner.checkpoint_examples":     {"0"},
	"learner.checkpoint_every":        {"99ms"},
	"learner.snapshot_bytes":          {"1024", "134217729"},
	"learner.snapshot_every":          {"999ms", "2d"},
	"learner.serve_bits":              {"8", "64", "0"},
	"model.linear.optimizer.kind":     {"rmsprop", `""`},
	"model.linear.optimizer.rate":     {"-1", "1001", "0"},
	"model.linear.optimizer.schedule": {"cosine"},
	"model.linear.optimizer.decay":    {"-1", "1001"},
	"model.linear.optimizer.beta1":    {"-1", "1001"},
	"model.linear.optimizer.beta2":    {"-1", "1.1"},
	"model.linear.optimizer.start":    {"-1", "1e7", "0"},
	"model.linear.optimizer.l1":       {"-1", "1e7"},
	"model.linear.optimizer.l2":       {"-1", "1e7"},
	"bidding.campaigns":               {`" c.yaml"`},
	"bidding.currency":                {"usd", "EURO", `""`},
	"bidding.rates":                   {"{usd: 2}", "{EUR: 0}", "{USD: 1}", "{EUR: -1}"},
	"bidding.public_url":              {"bid.example.com", `"ftp://a.example"`, `"https://a.example/?x=1"`, `"https://u:secret@a.example"`},
	"bidding.seat":                    {`"` + strings.Repeat("s", 65) + `"`},
	"bidding.sign_key":                {`" key"`},
	"bidding.tmax":                    {"0s", "11s"},
	"bidding.margin":                  {"-1ms", "2s", "150ms"},
	"bidding.max_body":                {"0", "4194305"},
	"bidding.max_in_flight":           {"0", "100001"},
	"bidding.max_candidates":          {"0", "1001"},
	"bidding.max_remembered":          {"0", "1048575"},
	"bidding.wait":                    {"9ms", "11s"},
	"bidding.click_macro":             {`"a b"`, `"<x>"`},
	"bidding.click_macro_encoded":     {`"a b"`},
	"bidding.late":                    {"59s", "721h"},
	"bidding.privacy.gdpr":            {"maybe", `""`},
	"bidding.privacy.vendor":          {"-1", "65536"},
	"access.keys.plain.for":           {"[all]", "[]", "[score, score]", `[""]`},
	"access.keys.plain.file":          {`" keys"`},
	"access.keys.plain.env":           {`"A B"`, `"A=B"`, "1A"},
	"access.keys.plain.rate":          {"-1", ".nan", "0.0001"},
	"access.keys.plain.bytes":         {"-1", "1023"},
	"access.address.rate":             {"-1", ".nan"},
	"access.address.bytes":            {"-1", "1"},
	"access.trusted_proxies":          {"[proxy]", `["0.0.0.0/0"]`, `["::/0"]`, `["10.0.0.0/33"]`, `[""]`},
}

func TestEverySettingOutOfRangeIsToldWithItsPlace(t *testing.T) {
	for _, l := range leaves("", reflect.TypeFor[Config]()) {
		known := strings.Replace(l.path, "networks.plain.", "model.", 1)
		for _, part := range []string{"ffm", "mlp"} {
			known = strings.Replace(known, part+".optimizer", "linear.optimizer", 1)
		}
		values := outOfRange[known]
		if len(values) == 0 && !free.MatchString(l.path) {
			t.Errorf("no value is known that %s does not allow", l.path)
		}
		for _, value := range values {
			more := strings.Split(value, " # ")
			text, line := document(l.path, more[0], more[1:]...)
			_, err := Parse("f.yaml", []byte(text))
			if err == nil || !regexp.MustCompile(fmt.Sprintf(`^f\.yaml:%d:(\d+:)? %s`, line, regexp.QuoteMeta(l.path))).MatchString(err.Error()) {
				// A contradiction between two settings may name either, with a line in any case.
				other := err != nil && regexp.MustCompile(`^f\.yaml:\d+:(\d+:)? ((model|networks\.plain)\.(output|numbers|cross|classes|loss) |features\.profiles\[0\]\.(aggregate|value) )`).MatchString(err.Error())
				if !other {
					t.Errorf("%s: %s: %v, want line %d\n%s", l.path, value, err, line, text)
					continue
				}
			}
			if !regexp.MustCompile(`, want |expected|more than|stands before|has the name|given, but|makes the feature|finite`).MatchString(err.Error()) {
				t.Errorf("%s: %v does not say what is allowed", l.path, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v tells a password", l.path, err)
			}
		}
	}
	for path := range outOfRange {
		if !slices.ContainsFunc(leaves("", reflect.TypeFor[Config]()), func(l leaf) bool { return l.path == path }) {
			t.Errorf("%s is no setting", path)
		}
	}
}
