package pages

import (
	"bufio"
	"bytes"
	"strings"
)

// smartStyle maps the names of a SMART style to the tokens of the pages.
var smartStyle = map[string]string{
	"color_background": "paper", "color_error": "stop", "color_highlight": "action",
	"color_modal_backdrop": "ink", "color_success": "good", "color_text": "ink",
	"dim_border_radius": "radius", "dim_font_size": "text", "dim_spacing_size": "step",
}

// SMARTStyle gives the look of the pages as a SMART style (CTX-12), read from
// the one file that holds colours and measures.
func (k *Kit) SMARTStyle() map[string]string {
	out := map[string]string{"font_family_body": "system-ui, sans-serif", "font_family_heading": "system-ui, sans-serif"}
	tokens := rootTokens(k.assets.styles[0].body)
	for name, token := range smartStyle {
		if v, ok := tokens[token]; ok {
			out[name] = v
		}
	}
	return out
}

// rootTokens reads the custom properties of the first rule of a style sheet.
func rootTokens(css []byte) map[string]string {
	out := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(css))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "}" {
			break
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, ";"), ":")
		if name, isToken := strings.CutPrefix(name, "--"); ok && isToken {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out
}
