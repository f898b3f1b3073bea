// Command picture draws the graph of the module's folders, as its imports are,
// into docs/architecture.svg and the marked part of docs/architecture.md. With
// -check it writes nothing and fails when a file would change. Run it in the
// module's root.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/mandate-health/mandate/internal/arch"
)

const (
	policyFile = "internal/arch/deps.txt"
	pageFile   = "docs/architecture.md"
	drawing    = "docs/architecture.svg"
)

func main() {
	check := flag.Bool("check", false, "fail when a file differs, write nothing")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	house, err := look()
	if err != nil {
		return err
	}
	page, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	newPage, err := replace(page, house.ladder())
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		text []byte
	}{{pageFile, newPage}, {drawing, house.svg()}} {
		old, err := os.ReadFile(file.name)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if bytes.Equal(old, file.text) {
			continue
		}
		if check {
			return fmt.Errorf("%s is not what the imports say: run make generate", file.name)
		}
		if err := os.WriteFile(file.name, file.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func look() (*house, error) {
	data, err := os.Open(policyFile)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	policy, err := arch.ParsePolicy(data)
	if err != nil {
		return nil, err
	}
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	tree, err := arch.Load(root)
	if err != nil {
		return nil, err
	}
	return newHouse(tree.Edges(), policy.Floors())
}
