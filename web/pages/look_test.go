package pages

import (
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func read(t *testing.T, fsys fs.FS, name string) string {
	t.Helper()
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOnlyTheTokensHoldColours(t *testing.T) {
	colour := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\b(rgb|rgba|hsl|hsla|oklch|lab)\(|:\s*(white|black|red|gr[ae]y|blue)\b`)
	for _, dir := range []struct {
		fsys fs.FS
		glob string
	}{{assetFiles, "assets/*"}, {templateFiles, "templates/*"}} {
		names, err := fs.Glob(dir.fsys, dir.glob)
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			if name == "assets/tokens.css" {
				continue
			}
			if hit := colour.FindString(read(t, dir.fsys, name)); hit != "" && !strings.HasPrefix(hit, "#f-") {
				t.Errorf("%s holds the colour %q", name, hit)
			}
		}
	}
}

func TestLayoutIsLogicalSoThatItWorksRightToLeft(t *testing.T) {
	css := read(t, assetFiles, "assets/app.css")
	physical := regexp.MustCompile(`[\s{;](margin|padding|border)-(left|right|top|bottom)|[\s{;](left|right|top|bottom):|text-align: (left|right)|[\s{;](width|height):`)
	if hit := physical.FindString(css); hit != "" {
		t.Errorf("physical property %q", hit)
	}
}

// palette gives the tokens of one scheme.
func palette(t *testing.T, css, from string) map[string]string {
	t.Helper()
	_, rest, ok := strings.Cut(css, from)
	if !ok {
		t.Fatalf("no %q", from)
	}
	block, _, _ := strings.Cut(rest, "}")
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]{6});`).FindAllStringSubmatch(block, -1) {
		out[m[1]] = m[2]
	}
	return out
}

// D.10 WC-05: text at least 7:1, boundaries and focus at least 3:1.
func TestTheTokensKeepTheirContrast(t *testing.T) {
	css := read(t, assetFiles, "assets/tokens.css")
	for name, p := range map[string]map[string]string{
		"light": palette(t, css, "color-scheme: light dark;"),
		"dark":  palette(t, css, "prefers-color-scheme: dark"),
		"calm":  palette(t, css, `:root[data-look~="calm"] {`),
		"calm and dark": palette(t, css, `dark) {
  :root[data-look~="calm"]`),
	} {
		least := map[string]float64{"ink": 7, "quiet": 7, "action": 7, "acting": 7, "good": 7, "stop": 7, "line": 3}
		if len(p) != len(least)+1 {
			t.Fatalf("%s: %d tokens", name, len(p))
		}
		for token, min := range least {
			if got := contrast(t, p[token], p["paper"]); got < min {
				t.Errorf("%s: %s on paper has %.2f:1, wants %.0f:1", name, token, got, min)
			}
		}
	}
}

// contrast is WCAG's ratio of two colours.
func contrast(t *testing.T, a, b string) float64 {
	la, lb := luminance(t, a), luminance(t, b)
	return (math.Max(la, lb) + 0.05) / (math.Min(la, lb) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
