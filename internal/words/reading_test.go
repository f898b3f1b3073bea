package words

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// pages groups the keys by page: what stands before the first dot.
func (c *Catalogue) pages(lang string) map[string]string {
	keys := make([]string, 0, len(c.texts[lang]))
	for key := range c.texts[lang] {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := map[string]string{}
	for _, key := range keys {
		page, _, _ := strings.Cut(key, ".")
		text := strings.NewReplacer("{app}", "Ana", "{name}", "Ana", "{who}", "Ana", "{date}", "May", "{count}", "9").
			Replace(c.texts[lang][key])
		text = placeholder.ReplaceAllString(text, "it")
		if !strings.ContainsFunc(text, ends) {
			text += "."
		}
		out[page] += text + " "
	}
	return out
}

// labels are the groups of keys that are lists of names, of which a measure of
// sentences says nothing.
var labels = []string{"kind", "category", "relation", "month", "screens", "topic"}

// enough is the number of words from which a measure says something.
const enough = 30

// D.10 WC-16: reading level of grade 8 or below, on each page and as a whole. No
// formula for Arabic is agreed upon; the readability index LIX needs no syllables, and
// up to 30 a text is as easy as a book for children.
func TestTheTextsAreEasyToRead(t *testing.T) {
	c := catalogue(t)
	for _, l := range []struct {
		lang  string
		score func(string) float64
		ok    func(float64) bool
	}{
		{"en", fleschKincaid, func(grade float64) bool { return grade <= 8 }},
		{"es", fernandezHuerta, func(ease float64) bool { return ease >= 70 }},
		{"ar", lix, func(index float64) bool { return index <= 30 }},
	} {
		all, few := "", ""
		pages := c.pages(l.lang)
		for _, page := range slices.Sorted(maps.Keys(pages)) {
			text := pages[page]
			all += text
			if slices.Contains(labels, page) {
				continue
			}
			// Pages of few words are read together.
			if words, _, _ := count(text, l.lang); words < enough {
				few += text
				if words, _, _ := count(few, l.lang); words < enough {
					continue
				}
				text, few = few, ""
			}
			if got := l.score(text); !l.ok(got) {
				t.Errorf("%s, up to the page %s: %.1f", l.lang, page, got)
			}
		}
		if got := l.score(all); !l.ok(got) {
			t.Errorf("%s as a whole: %.1f", l.lang, got)
		}
	}
}

// ends closes a sentence in any of the languages.
func ends(r rune) bool { return strings.ContainsRune(".?؟", r) }

func TestSentencesAreShort(t *testing.T) {
	c := catalogue(t)
	for _, l := range Languages() {
		for key, text := range c.texts[l.Code] {
			for _, sentence := range strings.FieldsFunc(text, func(r rune) bool { return ends(r) || r == ':' }) {
				if n := len(strings.Fields(sentence)); n > 20 {
					t.Errorf("%s %s: %d words in %q", l.Code, key, n, sentence)
				}
			}
		}
	}
}

// lix gives the readability index of Björnsson: words in a sentence and words of more
// than six letters in a hundred.
func lix(text string) float64 {
	w, s, _ := count(text, "ar")
	long := 0.0
	for word := range strings.FieldsSeq(text) {
		letters := 0
		for _, r := range word {
			if unicode.IsLetter(r) {
				letters++
			}
		}
		if letters > 6 {
			long++
		}
	}
	return w/s + 100*long/w
}

// fleschKincaid gives the American school grade of an English text.
func fleschKincaid(text string) float64 {
	w, s, y := count(text, "en")
	return 0.39*w/s + 11.8*y/w - 15.59
}

// fernandezHuerta gives the reading ease of a Spanish text: P = 206.84 - 60
// syllables per word - 1.02 words per sentence.
func fernandezHuerta(text string) float64 {
	w, s, y := count(text, "es")
	return 206.84 - 60*y/w - 1.02*w/s
}

func count(text, lang string) (words, sentences, syllables float64) {
	for _, f := range strings.Fields(text) {
		if strings.ContainsFunc(f, ends) {
			sentences++
		}
		f = strings.TrimFunc(strings.ToLower(f), func(r rune) bool { return !unicode.IsLetter(r) })
		if f == "" {
			continue
		}
		words++
		if lang == "es" {
			syllables += spanishSyllables(f)
		} else {
			syllables += englishSyllables(f)
		}
	}
	return words, max(sentences, 1), syllables
}

// englishSyllables counts groups of vowels, without a silent e at the end.
func englishSyllables(w string) float64 {
	n, inside := 0.0, false
	for _, r := range w {
		vowel := strings.ContainsRune("aeiouy", r)
		if vowel && !inside {
			n++
		}
		inside = vowel
	}
	if strings.HasSuffix(w, "e") && !strings.HasSuffix(w, "le") && n > 1 {
		n--
	}
	return max(n, 1)
}

// spanishSyllables counts vowels; a weak vowel beside another vowel joins it.
func spanishSyllables(w string) float64 {
	n := 0.0
	var before rune
	for _, r := range w {
		switch {
		case !strings.ContainsRune("aeiouáéíóúü", r):
		case before == 'q' || before == 'g' && r == 'u':
		case strings.ContainsRune("aeoáéíóú", before) && strings.ContainsRune("iuü", r):
		case strings.ContainsRune("iuü", before) && n > 0:
		default:
			n++
		}
		before = r
	}
	return max(n, 1)
}

func TestTheMeasuresKnowEasyFromHard(t *testing.T) {
	hard := "Notwithstanding the aforementioned authorization, the custodial institution disclaims responsibility for subsequent redisclosure."
	if easy := fleschKincaid("The cat sat on the mat. It was a fine day."); easy > 3 || fleschKincaid(hard) < 14 {
		t.Error(easy, fleschKincaid(hard))
	}
	duro := "Independientemente de las consideraciones anteriormente mencionadas, la responsabilidad institucional permanecerá inalterada."
	if facil := fernandezHuerta("El gato come pan. Hoy hace sol."); facil < 90 || fernandezHuerta(duro) > 40 {
		t.Error(facil, fernandezHuerta(duro))
	}
	hardArabic := "والمسؤوليات القانونية المترتبة على المؤسسات الاستشفائية والمتخصصين المتعاقدين تستوجب المراجعة الاستثنائية للاتفاقيات المتبادلة."
	if easyArabic := lix("من يرى سجلك؟ أنت تقرر. خذ وقتك."); easyArabic > 15 || lix(hardArabic) < 60 {
		t.Error(easyArabic, lix(hardArabic))
	}
	for w, want := range map[string]float64{"historial": 3, "qué": 1, "aplicación": 4, "día": 2, "quiere": 2, "usted": 2, "puede": 2} {
		if got := spanishSyllables(w); got != want {
			t.Errorf("%s: %.0f, want %.0f", w, got, want)
		}
	}
}
