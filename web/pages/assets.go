package pages

import (
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/*.css assets/*.js assets/*.svg
var assetFiles embed.FS

// AssetPrefix is where Kit.Assets is to be mounted.
const AssetPrefix = "/assets/"

// asset is one embedded file. Its content hash is part of its path, so it may
// be cached for ever.
type asset struct {
	// Path is below the base of whatever tenant shows the page.
	Path, Integrity string
	kind            string
	body            []byte
}

type assets struct {
	styles, scripts []asset
	icon            asset
	byPath          map[string]asset
}

func loadAssets() (*assets, error) {
	a := &assets{byPath: map[string]asset{}}
	for _, f := range []struct{ name, kind string }{
		{"tokens.css", "text/css; charset=utf-8"},
		{"app.css", "text/css; charset=utf-8"},
		{"app.js", "text/javascript; charset=utf-8"},
		{passkeyScript, "text/javascript; charset=utf-8"},
		{"icon.svg", "image/svg+xml"},
	} {
		body, err := assetFiles.ReadFile("assets/" + f.name)
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", f.name, err)
		}
		as := newAsset(f.name, f.kind, body)
		a.byPath[as.Path] = as
		switch path.Ext(f.name) {
		case ".css":
			a.styles = append(a.styles, as)
		case ".js":
			a.scripts = append(a.scripts, as)
		default:
			a.icon = as
		}
	}
	return a, nil
}

// passkeyScript is only part of pages that ask for a passkey.
const passkeyScript = "passkey.js"

// links gives the part of a page's head that names the files, below the base of
// a tenant.
func (a *assets) links(base string, passkeys bool) template.HTML {
	var b strings.Builder
	at := func(one asset) string { return template.HTMLEscapeString(base + one.Path) }
	fmt.Fprintf(&b, `<link rel="icon" type="image/svg+xml" href="%s">`, at(a.icon))
	for _, one := range a.styles {
		fmt.Fprintf(&b, "\n"+`<link rel="stylesheet" href="%s" integrity="%s">`, at(one), one.Integrity)
	}
	for _, one := range a.scripts {
		if path.Base(one.Path) == passkeyScript && !passkeys {
			continue
		}
		fmt.Fprintf(&b, "\n"+`<script src="%s" integrity="%s" defer></script>`, at(one), one.Integrity)
	}
	return template.HTML(b.String()) //nolint:gosec // made of embedded files and an escaped path
}

func newAsset(name, kind string, body []byte) asset {
	short := sha256.Sum256(body)
	full := sha512.Sum384(body)
	return asset{
		Path:      AssetPrefix + hex.EncodeToString(short[:8]) + "/" + name,
		Integrity: "sha384-" + base64.StdEncoding.EncodeToString(full[:]),
		kind:      kind, body: body,
	}
}

// Assets serves the embedded style sheets, scripts and icon below AssetPrefix,
// which the base stands in front of. Any other address is 404.
func (k *Kit) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		as, ok := k.assets.byPath[strings.TrimPrefix(r.URL.Path, k.deps.Base)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", as.kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.Method == http.MethodGet {
			_, _ = w.Write(as.body) // a reader that has gone away needs no answer
		}
	})
}
