package words

import (
	"strings"

	"golang.org/x/text/unicode/bidi"
)

// The marks around a piece of text that keeps its own direction (UAX 9: FIRST
// STRONG ISOLATE and POP DIRECTIONAL ISOLATE). Screen readers do not speak them.
const (
	isolateStart = "\u2068"
	isolateEnd   = "\u2069"
)

// Dir gives the direction of lang's script: "ltr" or "rtl".
func (c *Catalogue) Dir(lang string) string {
	if c.rtl[c.known(lang)] {
		return "rtl"
	}
	return "ltr"
}

// Isolate gives a name that stands beside words of lang outside a sentence of
// the catalogue, marked as T marks its values.
func (c *Catalogue) Isolate(lang, v string) string { return c.isolate(c.known(lang), v) }

// isolate marks a value that holds signs of the other direction, so that it
// cannot turn the sentence around it. A value that runs as the sentence does
// comes back as it is, and so does a web address: mail programs make a link of
// all that stands beside it.
func (c *Catalogue) isolate(lang, v string) string {
	if strings.HasPrefix(v, "https://") || strings.HasPrefix(v, "http://") || !strange(v, c.rtl[lang]) {
		return v
	}
	return isolateStart + closed(v) + isolateEnd
}

// closed gives a value that ends what it begins: a name cannot hold a sign that
// turns the text behind it.
func closed(v string) string {
	v = strings.Map(func(r rune) rune {
		if r >= '\u202a' && r <= '\u202e' { // embeddings and overrides
			return -1
		}
		return r
	}, v)
	open := 0
	for _, r := range v {
		switch r {
		case '\u2066', '\u2067', '\u2068':
			open++
		case '\u2069':
			if open--; open < 0 {
				return strings.NewReplacer("\u2066", "", "\u2067", "", "\u2068", "", "\u2069", "").Replace(v)
			}
		}
	}
	return v + strings.Repeat(isolateEnd, open)
}

// strange tells whether v has letters, or in a right-to-left sentence European
// digits, of the other direction, or a sign that steers directions by itself.
func strange(v string, rtl bool) bool {
	for _, r := range v {
		if r < 0x80 {
			if rtl && asciiStrong(r) {
				return true
			}
			continue
		}
		p, _ := bidi.LookupRune(r)
		switch p.Class() {
		case bidi.R, bidi.AL, bidi.AN:
			if !rtl {
				return true
			}
		case bidi.L, bidi.EN:
			if rtl {
				return true
			}
		case bidi.LRO, bidi.RLO, bidi.LRE, bidi.RLE, bidi.PDF, bidi.LRI, bidi.RLI, bidi.FSI, bidi.PDI:
			return true
		}
	}
	return false
}

func asciiStrong(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// digits writes the European digits of a date or a time in the digits of lang.
func (c *Catalogue) digits(lang, s string) string {
	if c.known(lang) != "ar" {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '٠'
		}
		return r
	}, s)
}

// PlainDigits writes Arabic-Indic and Persian digits as European ones: what a
// person types with the keyboard of another script into a field for a number.
func PlainDigits(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '٠' && r <= '٩':
			return r - '٠' + '0'
		case r >= '۰' && r <= '۹':
			return r - '۰' + '0'
		}
		return r
	}, s)
}
