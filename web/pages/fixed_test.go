package pages

import (
	"html"
	"strings"
	"testing"
)

// Words that depend on nothing stand in the templates of their language, escaped
// as any other text, and are not looked up for each page.
func TestFixedWordsAreSpelledOutOnce(t *testing.T) {
	k := newKit(t)
	for lang, set := range k.sets {
		looked := 0
		for _, one := range set.Templates() {
			if one.Tree == nil {
				continue
			}
			source := one.Tree.Root.String()
			looked += strings.Count(source, `{{t "consent.deny"}}`) + strings.Count(source, `{{t "common.skip"}}`)
		}
		if looked > 0 {
			t.Errorf("%s: %d of them are looked up for each page", lang, looked)
		}
		page := render(k, "/x", Consent{Frame: Frame{Lang: lang}}).Body.String()
		for _, key := range []string{"consent.deny", "common.skip", "consent.copied"} {
			if text := k.deps.Words.T(lang, key, nil); !strings.Contains(html.UnescapeString(page), text) {
				t.Errorf("%s: %q is not on the page", lang, text)
			}
		}
		if strings.Contains(page, "⟦") {
			t.Error("a key has no words")
		}
	}
	sign := &strings.Builder{}
	if err := k.sets["en"].ExecuteTemplate(sign, "csrf", Frame{CSRF: `"<`}); err != nil || !strings.Contains(sign.String(), "&#34;&lt;") {
		t.Errorf("%s %v", sign, err)
	}
}
