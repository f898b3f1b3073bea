package pages

import "github.com/mandate-health/mandate/internal/law"

// Ground names a ground of the law: in the reader's language where it is a known one,
// otherwise in the words of the jurisdiction pack.
func (k *Kit) Ground(lang string, g law.Ground) string {
	text := g.Text
	if key := "ground." + g.ID; k.deps.Words.Has(key) {
		text = k.deps.Words.T(lang, key, nil)
	}
	return text + " (" + g.Cite + ")"
}
