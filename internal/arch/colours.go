package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// colourFiles may hold a colour; each with its reason.
var colourFiles = map[string]string{
	"web/pages/assets/tokens.css": "the one place of the pages",
	"web/pages/assets/icon.svg":   "a browser shows the icon outside of any page, where no token reaches",
	"web/demo/assets/demo.css":    "the demo app plays a stranger's app on an origin of its own",
	"web/demo/assets/icon.svg":    "as above",
	"web/demo/assets/style.json":  "a SMART style file: colours are what it tells an app",
}

// A colour is a hexadecimal value that is no link target and no selector, a colour function
// with numbers in it, or a named colour as the value of a property.
var (
	hexColour   = regexp.MustCompile(`[\s:,("'=]#([0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})\b`)
	funcColour  = regexp.MustCompile(`\b(rgba?|hsla?|hwb|lab|lch|oklab|oklch)\(\s*[0-9.]`)
	namedColour = regexp.MustCompile(`\b(color|background|background-color|border[a-z-]*|outline[a-z-]*|fill|stroke)\s*[:=]\s*"?[^;{}"]*` +
		`\b(white|black|red|green|blue|yellow|orange|purple|gr[ae]y|silver|navy|teal|maroon)\b`)
	linkTarget = regexp.MustCompile(`(href|action|src|aria-[a-z]+)=("#[^"]*"|'#[^']*')|url\(#[^)]*\)|^\s*#[\w-]+[^;]*\{`)
)

// CheckColours looks for colours in the files a browser gets, below web/.
func CheckColours(root string) ([]Violation, error) {
	var found []Violation
	err := filepath.WalkDir(filepath.Join(root, "web"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".css", ".html", ".js", ".svg", ".json"}, filepath.Ext(path)) {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if _, may := colourFiles[rel]; may {
			return nil
		}
		text, err := os.ReadFile(path)
		found = append(found, colours(rel, string(text))...)
		return err
	})
	return found, err
}

func colours(name, text string) []Violation {
	var found []Violation
	for n, line := range strings.Split(text, "\n") {
		line = linkTarget.ReplaceAllString(line, "")
		for _, re := range []*regexp.Regexp{hexColour, funcColour, namedColour} {
			if hit := re.FindString(" " + line); hit != "" {
				found = append(found, Violation{fmt.Sprintf("%s:%d", name, n+1), "holds a colour: " + strings.TrimSpace(hit)})
				break
			}
		}
	}
	return found
}
