package pages

import (
	"html/template"
	"text/template/parse"
)

// spellOut puts the words that depend on nothing, {{t "key"}}, into a template
// as text, so that they are looked up and escaped once and not for each page.
func (k *Kit) spellOut(lang string, list *parse.ListNode) {
	if list == nil {
		return
	}
	for i, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			if key, ok := fixedKey(n.Pipe); ok {
				text := template.HTMLEscapeString(k.deps.Words.T(lang, key, nil))
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos, Text: []byte(text)}
			}
		case *parse.IfNode:
			k.spellOutBoth(lang, &n.BranchNode)
		case *parse.WithNode:
			k.spellOutBoth(lang, &n.BranchNode)
		case *parse.RangeNode:
			k.spellOutBoth(lang, &n.BranchNode)
		}
	}
}

func (k *Kit) spellOutBoth(lang string, n *parse.BranchNode) {
	k.spellOut(lang, n.List)
	k.spellOut(lang, n.ElseList)
}

// fixedKey gives the key of a pipeline that is t of one literal.
func fixedKey(p *parse.PipeNode) (string, bool) {
	if len(p.Decl) > 0 || len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 2 {
		return "", false
	}
	name, isName := p.Cmds[0].Args[0].(*parse.IdentifierNode)
	key, isText := p.Cmds[0].Args[1].(*parse.StringNode)
	if !isName || !isText || name.Ident != "t" {
		return "", false
	}
	return key.Text, true
}
