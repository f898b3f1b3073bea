package paper

import (
	"bytes"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/mandate-health/mandate/internal/errs"
)

// Line is one entry.
type Line struct{ Date, Title, Detail string }

// Copy is what is drawn.
type Copy struct {
	Title, Lead string
	Lines       []Line
	// None stands in place of lines when there are none.
	None string
	// Across is written large and pale over every page, Foot small below it.
	Across, Foot string
	// Mark is the id of the copy; it stands in the properties of the file too.
	Mark string
	Made time.Time
}

// Sizes in millimetres and points.
const (
	margin, foot = 20.0, 18.0
	row          = 6.0
	dateWidth    = 38.0
	body, small  = 11.0, 8.0
)

// PDF draws the copy. Letters that the font has not (it has Latin, Greek and
// Cyrillic ones) become question marks, and partial says so. Errors:
// errs.Internal.
func PDF(c Copy) (out []byte, partial bool, err error) {
	text := func(s string) string {
		drawn := strings.Map(func(r rune) rune {
			if r < 0x20 {
				return ' '
			}
			if drawable(r) {
				return r
			}
			partial = true
			return '?'
		}, s)
		return drawn
	}
	p := fpdf.New("P", "mm", "A4", "")
	p.SetCreationDate(c.Made)
	p.SetModificationDate(c.Made)
	p.SetTitle(c.Title, true)
	p.SetKeywords(c.Mark, true)
	p.AddUTF8FontFromBytes("go", "", goregular.TTF)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(true, foot+row)
	p.SetHeaderFunc(func() { across(p, text(c.Across)) })
	p.SetFooterFunc(func() {
		p.SetY(-foot)
		p.SetFont("go", "", small)
		p.SetTextColor(71, 86, 99)
		p.MultiCell(0, 4, text(c.Foot), "", "L", false)
	})
	p.AddPage()
	p.SetTextColor(22, 32, 42)
	p.SetFont("go", "", 18)
	p.MultiCell(0, 9, text(c.Title), "", "L", false)
	p.SetFont("go", "", body)
	p.MultiCell(0, row, text(c.Lead), "", "L", false)
	p.Ln(row)
	if len(c.Lines) == 0 {
		p.MultiCell(0, row, text(c.None), "", "L", false)
	}
	for _, l := range c.Lines {
		p.SetTextColor(22, 32, 42)
		p.SetFont("go", "", body)
		p.CellFormat(dateWidth, row, text(l.Date), "", 0, "L", false, 0, "")
		words := l.Title
		if l.Detail != "" {
			words += ": " + l.Detail
		}
		p.SetLeftMargin(margin + dateWidth)
		p.MultiCell(0, row, text(words), "", "L", false)
		p.SetLeftMargin(margin)
		p.Ln(1)
	}
	var buf bytes.Buffer
	if err := p.Output(&buf); err != nil {
		return nil, false, errs.Wrap(err, errs.Internal, "copy-drawing", "The copy could not be drawn.")
	}
	return buf.Bytes(), partial, nil
}

// across writes the watermark over a page, pale enough to read what is on it.
func across(p *fpdf.Fpdf, words string) {
	w, h := p.GetPageSize()
	p.SetFont("go", "", 30)
	p.SetTextColor(215, 222, 228)
	p.TransformBegin()
	p.TransformRotate(50, w/2, h/2)
	p.Text((w-p.GetStringWidth(words))/2, h/2, words)
	p.TransformEnd()
	p.SetXY(margin, margin)
}

// Drawable reports whether the font has all letters of a text.
func Drawable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !drawable(r) })
}

// drawable reports whether the font has a letter.
func drawable(r rune) bool {
	switch {
	case r >= 0x20 && r < 0x180, r >= 0x386 && r < 0x3cf, r >= 0x401 && r < 0x460, r == 0x490 || r == 0x491:
		return true
	}
	return strings.ContainsRune("–—‘’“”„†‡•…‰‹›€№™−≤≥", r)
}
