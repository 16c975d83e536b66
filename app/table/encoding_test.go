package table

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding"
)

// encoded is a text in another encoding.
func encoded(t *testing.T, name, text string) string {
	t.Helper()
	enc, err := CheckEncoding(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := encoding.ReplaceUnsupported(enc.NewEncoder()).String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Text of every usual encoding is read by its name, and refused without.
func TestTextIsReadInItsEncodingOrRefusedWithItsPlace(t *testing.T) {
	for name, word := range map[string]string{
		"windows-1251": "Тверь", "cp1251": "Пермь", "KOI8-R": "Тверь", "iso-8859-5": "Тверь", "cp866": "Тверь",
		"windows-1252": "größe", "latin1": "größe", "iso-8859-15": "œuvre€", "windows-1250": "žluť", "cp437": "größe",
		"Shift_JIS": "東京都", "cp932": "東京都", "euc-jp": "東京都", "gb18030": "北京市", "gbk": "北京市", "cp936": "北京市", "big5": "臺北市", "euc-kr": "서울시",
		"utf-16le": "größe", "utf-16be": "größe",
	} {
		for form, text := range map[string]string{"a.csv": "town,y\nplain,0\n%,1\n", "a.jsonl": "{\"town\":\"plain\",\"y\":0}\n{\"town\":\"%\",\"y\":1}\n", "a.vw": "1 |town plain\n1 |town %\n"} {
			text = encoded(t, name, strings.ReplaceAll(text, "%", word))
			for _, packs := range []bool{false, true} {
				file := form
				if packs {
					file, text = form+".gz", packed(t, text)
				}
				path := fileOf(t, file, text)
				got, _, err := all(t, path, Options{Encoding: name})
				if err != nil || len(got) != 2 || !strings.Contains(got[1], `"town":"`+word+`"`) {
					t.Errorf("%s %s: %q, %v", name, file, got, err)
				}
				_, _, err = all(t, path, Options{})
				line, want := map[string]string{"a.csv": ":3: column \"town\": ", "a.jsonl": ":2: ", "a.vw": ":2: "}[form], "is not UTF-8: name the text's encoding"
				if strings.HasPrefix(name, "utf-16") {
					line, want = "", "is UTF-16"
				}
				if err == nil || !strings.HasPrefix(err.Error(), path+line) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s %s without its encoding: %v, want %s and %q", name, file, err, line, want)
				}
			}
		}
	}
}

func TestWhatIsNotTheNamedEncodingIsRefused(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		_, _, err := all(t, fileOf(t, "a.csv", text), Options{Encoding: name})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s %q: %v, want %q", name, text, err, want)
		}
	}
	f("shift_jis", "a\nplain\nx\xfd\n", `a.csv:3: column "a": a character after`)
	f("windows-1251", "a\nТверь\nПермь\n", "is UTF-8 by the look of it")
	// the buffer ends within a letter
	f("windows-1251", "ab\n"+strings.Repeat("Я", bufferBytes), "is UTF-8 by the look of it")
	f("utf-8", "a\nТверь\n", "")
	f("utf-16", "\xff\xfea\x00\n\x00b\x00\n\x00", "")
	f("utf-16", "\xfe\xff\x00a\x00\n\x00b\x00\n", "")
	f("", "\xff\xfe\x00\x00a\x00\x00\x00", "is UTF-32")
	f("", "\xff\xfea\x00\n\x00", "a.csv is UTF-16, want UTF-8: --encoding utf-16 reads it")
	f("klingon", "a\nb\n", `there is no encoding "klingon"`)
	f("", "gr\xf6\xdfe,b\n1,2\n", "a.csv:1: the name of column 1: byte 3 (0xf6) is not UTF-8")
	// through the general reader
	f("", "a,b\n\"gr\n\xf6\",2\n", "a.csv:2: column \"a\": byte 4 (0xf6)")
}

// A line that is no text is malformed, and passed over where those are.
func TestLinesOfAnotherEncodingArePassedOverWhereMalformedOnesAre(t *testing.T) {
	for name, text := range map[string]string{"a.csv": "a,b\n1,2\n1,\xf6\n\"x\",y\n\"\n\",\xf6\n3,4\n", "a.jsonl": "{\"a\":1}\n{\"a\":\"\xf6\"}\n{\"a\":\"\xf6\"}\n{\"a\":1}\n{\"a\":2}\n", "a.vw": "1 |a b\n1 |a \xf6\n1 |\xf6 b\n1 |a b\n1 |a b\n"} {
		if got, skipped, err := all(t, fileOf(t, name, text), Options{SkipBad: true}); err != nil || len(got) != 3 || skipped != 2 {
			t.Errorf("%s: %q, %d skipped, %v", name, got, skipped, err)
		}
	}
}
