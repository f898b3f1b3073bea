package view

import "encoding/json"

// Member is one member of a JSON object; Value is the exact bytes.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Members takes one JSON object apart, in order. It returns errs.Invalid as
// Scan does for the text, also for anything but an object.
func Members(text []byte) ([]Member, error) {
	c := start(text)
	list := c.members()
	return list, c.end()
}

// Items takes one JSON array apart. It returns errs.Invalid as Scan does for
// the text, also for anything but an array.
func Items(text []byte) (list []json.RawMessage, err error) {
	c := start(text)
	c.array(func() { list = append(list, c.span()) })
	return list, c.end()
}

// References lists every literal "reference" string of a resource at any
// depth, each as often as it occurs: among them the conditional references of
// a transaction, which search (SMART M-14). It returns errs.Invalid as Scan
// does for the text.
func References(text []byte) (list []string, err error) {
	c := start(text)
	c.references(&list)
	return list, c.end()
}

func (c *cursor) references(list *[]string) {
	switch c.peek() {
	case '{':
		c.object(func(key []byte) {
			if string(key) == "reference" && c.peek() == '"' {
				s, _ := c.str()
				*list = append(*list, s)
				return
			}
			c.references(list)
		})
	case '[':
		c.array(func() { c.references(list) })
	default:
		c.skip()
	}
}

// members consumes an object.
func (c *cursor) members() (list []Member) {
	c.object(func(key []byte) {
		list = append(list, Member{Name: string(key), Value: c.span()})
	})
	return list
}
