package pages

import "testing"

// SMART CTX-12: the style told to embedded apps is the look of the pages.
func TestSMARTStyleHoldsTheTokens(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	style := (&Kit{assets: a}).SMARTStyle()
	for name, token := range smartStyle {
		if style[name] == "" {
			t.Errorf("%s: the token %s is not in tokens.css", name, token)
		}
	}
}
