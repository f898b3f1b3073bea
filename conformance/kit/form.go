package kit

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Form is an HTML form as a browser understands it.
type Form struct {
	Method string
	// Action is absolute.
	Action string
	Fields []*Field
	// Buttons submit the form.
	Buttons []Button
}

// Field is a control with a name.
type Field struct {
	Name, Type, Value string
	Checked           bool
	// Label is what a person reads beside the control, Detail what describes
	// it further.
	Label, Detail string
}

// Button is a submit button.
type Button struct{ Name, Value, Text string }

// Field gives the first control of that name, nil if there is none.
func (f *Form) Field(name string) *Field {
	for _, c := range f.Fields {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Named gives all controls of that name.
func (f *Form) Named(name string) []*Field {
	var out []*Field
	for _, c := range f.Fields {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// words are what servers write on the buttons to allow and to deny.
var words = map[string][]string{
	"allow": {"allow", "approve", "authorize", "authorise", "accept", "agree", "grant"},
	"deny":  {"deny", "decline", "reject", "cancel", "refuse"},
}

// Button gives the button with that value, nil if there is none. "allow" and
// "deny" are also known by their words.
func (f *Form) Button(value string) *Button {
	for i, b := range f.Buttons {
		if b.Value == value {
			return &f.Buttons[i]
		}
	}
	for i, b := range f.Buttons {
		for _, word := range words[value] {
			if strings.HasPrefix(strings.ToLower(b.Text), word) || strings.EqualFold(b.Value, word) {
				return &f.Buttons[i]
			}
		}
	}
	return nil
}

// Secret gives the control for a password, nil if there is none.
func (f *Form) Secret() *Field {
	for _, c := range f.Fields {
		if c.Type == "password" {
			return c
		}
	}
	return nil
}

// Who gives the control for the name of who signs in: the one called username,
// or the first for text; nil if there is none.
func (f *Form) Who() *Field {
	if c := f.Field("username"); c != nil {
		return c
	}
	for _, c := range f.Fields {
		if c.Type == "text" || c.Type == "email" || c.Type == "" {
			return c
		}
	}
	return nil
}

// Set types a value into the control of that name and reports whether there
// is one.
func (f *Form) Set(name, value string) bool {
	c := f.Field(name)
	if c != nil {
		c.Value = value
	}
	return c != nil
}

// Tick ticks or unticks the box of that name or label and reports whether
// there is one.
func (f *Form) Tick(box string, on bool) bool {
	for _, c := range f.Fields {
		if c.Type == "checkbox" && (c.Name == box || c.Label == box) {
			c.Checked = on
			return true
		}
	}
	return false
}

// Choose selects a radio button of a group by value or by the beginning of its
// label.
func (f *Form) Choose(group, value string) bool {
	var found *Field
	for _, c := range f.Named(group) {
		if c.Type == "radio" && (c.Value == value || strings.HasPrefix(c.Label, value)) && found == nil {
			found = c
		}
	}
	if found == nil {
		return false
	}
	for _, c := range f.Named(group) {
		c.Checked = c == found
	}
	return true
}

// Values gives what a browser sends when the button is pressed.
func (f *Form) Values(pressed *Button) url.Values {
	out := url.Values{}
	for _, c := range f.Fields {
		if (c.Type == "checkbox" || c.Type == "radio") && !c.Checked {
			continue
		}
		out.Add(c.Name, c.Value)
	}
	if pressed != nil && pressed.Name != "" {
		out.Add(pressed.Name, pressed.Value)
	}
	return out
}

// ParseForms reads the forms of a page. base is the page's own URL.
func ParseForms(page []byte, base *url.URL) ([]*Form, error) {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return nil, err
	}
	labels, texts := map[string]string{}, map[string]string{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			texts[id] = textOf(n)
		}
		if n.Data == "label" {
			labels[attr(n, "for")] = textOf(n)
		}
	}
	var forms []*Form
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" {
			forms = append(forms, readForm(n, base, labels, texts))
		}
	}
	return forms, nil
}

func readForm(form *html.Node, base *url.URL, labels, texts map[string]string) *Form {
	f := &Form{Method: strings.ToUpper(attr(form, "method")), Action: base.String()}
	if f.Method == "" {
		f.Method = "GET"
	}
	if action := attr(form, "action"); action != "" {
		if u, err := base.Parse(action); err == nil {
			f.Action = u.String()
		}
	}
	for n := range form.Descendants() {
		if n.Type != html.ElementNode || hasAttr(n, "disabled") {
			continue
		}
		kind := strings.ToLower(attr(n, "type"))
		switch {
		case n.Data == "button" && (kind == "submit" || kind == ""), n.Data == "input" && kind == "submit":
			f.Buttons = append(f.Buttons, Button{Name: attr(n, "name"), Value: attr(n, "value"), Text: buttonText(n)})
		case n.Data == "input" && attr(n, "name") != "" && kind != "button" && kind != "image":
			f.Fields = append(f.Fields, readField(n, kind, labels, texts))
		case n.Data == "select" && attr(n, "name") != "":
			f.Fields = append(f.Fields, &Field{Name: attr(n, "name"), Type: "select", Value: selected(n), Label: labels[attr(n, "id")]})
		}
	}
	return f
}

func readField(n *html.Node, kind string, labels, texts map[string]string) *Field {
	c := &Field{Name: attr(n, "name"), Type: kind, Value: attr(n, "value"), Checked: hasAttr(n, "checked"), Label: labels[attr(n, "id")]}
	if (kind == "checkbox" || kind == "radio") && !hasAttr(n, "value") {
		c.Value = "on"
	}
	var details []string
	for _, id := range strings.Fields(attr(n, "aria-describedby")) {
		details = append(details, texts[id])
	}
	c.Detail = strings.Join(details, " ")
	return c
}

func selected(n *html.Node) string {
	first, chosen := "", ""
	for o := range n.Descendants() {
		if o.Type != html.ElementNode || o.Data != "option" {
			continue
		}
		if first == "" {
			first = attr(o, "value")
		}
		if hasAttr(o, "selected") {
			chosen = attr(o, "value")
		}
	}
	if chosen != "" {
		return chosen
	}
	return first
}

// Links gives the targets of a page's links, absolute.
func Links(page []byte, base *url.URL) []string {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return nil
	}
	var out []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "a" || attr(n, "href") == "" {
			continue
		}
		if u, err := base.Parse(attr(n, "href")); err == nil {
			out = append(out, u.String())
		}
	}
	return out
}

// Text gives what a person reads on a page.
func Text(page []byte) string {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return ""
	}
	return textOf(doc)
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode && (c.Parent == nil || c.Parent.Data != "script" && c.Parent.Data != "style") {
			b.WriteString(c.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// buttonText is what stands on a button.
func buttonText(n *html.Node) string {
	if n.Data == "input" {
		return attr(n, "value")
	}
	return textOf(n)
}
