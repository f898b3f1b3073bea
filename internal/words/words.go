package words

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed en.json es.json ar.json
var files embed.FS

// Args are the values for a message's placeholders: "{name}" is replaced by
// Args["name"]. "count" also chooses the plural form.
type Args map[string]any

// Fallback is the language of last resort.
const Fallback = "en"

// Language is one language that a person can choose.
type Language struct {
	// Code is the BCP 47 tag, used in lang attributes.
	Code string
	// Name is the language's name in itself.
	Name string
	// Dir is "ltr" or "rtl".
	Dir string
	// Checked tells whether a fluent reader has checked the texts.
	Checked bool
}

// Languages gives the languages in the order of the language switch.
func Languages() []Language {
	return []Language{
		{Code: "en", Name: "English", Dir: "ltr", Checked: true},
		{Code: "es", Name: "Español", Dir: "ltr"},
		{Code: "ar", Name: "العربية", Dir: "rtl"},
	}
}

// Catalogue is the set of all texts. It is safe for concurrent use.
type Catalogue struct {
	texts   map[string]map[string]string
	tags    map[string]language.Tag
	printer map[string]*message.Printer
	matcher language.Matcher
	order   []string
	// rtl holds the languages that are written from right to left.
	rtl map[string]bool
	// versions are digests of the texts.
	versions map[string]string
}

// New loads the embedded texts. The error names the file that cannot be read.
func New() (*Catalogue, error) {
	c := &Catalogue{
		texts:   map[string]map[string]string{},
		tags:    map[string]language.Tag{},
		printer: map[string]*message.Printer{},
		rtl:     map[string]bool{},

		versions: map[string]string{},
	}
	var tags []language.Tag
	for _, l := range Languages() {
		raw, err := files.ReadFile(l.Code + ".json")
		if err != nil {
			return nil, fmt.Errorf("message catalogue %s: %w", l.Code, err)
		}
		m := map[string]string{}
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("message catalogue %s: %w", l.Code, err)
		}
		sum := sha256.Sum256(raw)
		c.versions[l.Code] = hex.EncodeToString(sum[:6])
		tag := language.MustParse(l.Code)
		c.texts[l.Code], c.tags[l.Code], c.rtl[l.Code] = m, tag, l.Dir == "rtl"
		c.printer[l.Code] = message.NewPrinter(tag)
		c.order = append(c.order, l.Code)
		tags = append(tags, tag)
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

// Version names the texts of a language: it is another one as soon as a word is. An
// unknown language has the version of Fallback.
func (c *Catalogue) Version(lang string) string { return c.versions[c.known(lang)] }

// Has reports whether key has a text in the fallback language.
func (c *Catalogue) Has(key string) bool {
	_, ok := c.texts[Fallback][key]
	return ok
}

// T gives the text of key in lang with its placeholders filled. If args hold
// "count", the plural form "key.one", "key.few", "key.other" … is chosen by the
// CLDR rules of lang; "key.zero" is taken for 0 where it exists. A value whose
// script runs the other way than lang is isolated (UAX 9), so that a name or a
// number keeps its own order and moves nothing beside it. An unknown language is
// worded in Fallback. An unknown key gives the key in ⟦ ⟧, which a test looks for.
func (c *Catalogue) T(lang, key string, args Args) string {
	lang = c.known(lang)
	text, ok := c.texts[lang][key]
	if !ok {
		text, ok = c.plural(lang, key, args)
	}
	if !ok {
		return "⟦" + key + "⟧"
	}
	if len(args) == 0 || !strings.Contains(text, "{") {
		return text
	}
	return c.fill(lang, text, args)
}

func (c *Catalogue) plural(lang, key string, args Args) (string, bool) {
	n, ok := args["count"].(int)
	if !ok {
		return "", false
	}
	m := c.texts[lang]
	if n == 0 {
		if text, ok := m[key+".zero"]; ok {
			return text, true
		}
	}
	if text, ok := m[key+pluralForm(c.tags[lang], n)]; ok {
		return text, true
	}
	text, ok := m[key+".other"]
	return text, ok
}

// pluralForm gives the end of the key for a number of things.
func pluralForm(tag language.Tag, n int) string {
	switch plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0) {
	case plural.One:
		return ".one"
	case plural.Two:
		return ".two"
	case plural.Few:
		return ".few"
	case plural.Many:
		return ".many"
	}
	return ".other"
}

// fill replaces each {name} once, so that a value which holds braces is never
// filled again.
func (c *Catalogue) fill(lang, text string, args Args) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			break
		}
		end := strings.IndexByte(text[open:], '}')
		if end < 0 {
			break
		}
		b.WriteString(text[:open])
		b.WriteString(c.value(lang, args[text[open+1:open+end]]))
		text = text[open+end+1:]
	}
	b.WriteString(text)
	return b.String()
}

func (c *Catalogue) value(lang string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return c.isolate(lang, v)
	case int:
		return c.Number(lang, v)
	}
	return fmt.Sprint(v)
}

// Number prints n with the separators of lang.
func (c *Catalogue) Number(lang string, n int) string {
	return c.printer[c.known(lang)].Sprintf("%d", n)
}

// List joins words into a phrase: "a", "a and b", "a, b and c".
func (c *Catalogue) List(lang string, items []string) string {
	lang = c.known(lang)
	own := make([]string, len(items))
	for i, item := range items {
		own[i] = c.isolate(lang, item)
	}
	switch len(own) {
	case 0:
		return ""
	case 1:
		return own[0]
	}
	comma := ", "
	if lang == "ar" {
		comma = "، "
	}
	last := own[len(own)-1]
	return strings.Join(own[:len(own)-1], comma) + and(lang, last) + last
}

// and gives the joining word: Spanish "y" becomes "e" before the sound i, and
// Arabic "و" is written to the word that follows.
func and(lang, next string) string {
	switch lang {
	case "es":
		low := strings.ToLower(next)
		if strings.HasPrefix(low, "i") || (strings.HasPrefix(low, "hi") && !strings.HasPrefix(low, "hie")) {
			return " e "
		}
		return " y "
	case "ar":
		return " و"
	}
	return " and "
}

// Negotiate gives the language to use: chosen if it is one of ours, else the
// best match of an Accept-Language header, else Fallback.
func (c *Catalogue) Negotiate(acceptLanguage, chosen string) string {
	if slices.Contains(c.order, chosen) {
		return chosen
	}
	tags, _, err := language.ParseAcceptLanguage(limit(acceptLanguage, 200))
	if err != nil || len(tags) == 0 {
		return Fallback
	}
	_, i, confidence := c.matcher.Match(tags...)
	if confidence == language.No {
		return Fallback
	}
	return c.order[i]
}

func (c *Catalogue) known(lang string) string {
	if _, ok := c.texts[lang]; ok {
		return lang
	}
	return Fallback
}

func limit(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
