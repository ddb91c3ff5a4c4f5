// Package tap writes the Test Anything Protocol, version 13 (testanything.org). The validation
// programs of runtime-tools use a package of this shape that Debian does not carry.
package tap

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// T counts what was written.
type T struct {
	count *int
	todo  bool
}

func New() *T { return &T{count: new(int)} }

// Todo gives results that may fail.
func (t *T) Todo() *T { return &T{count: t.count, todo: true} }

// Header begins the output; with 0 the plan comes at the end, by AutoPlan.
func (t *T) Header(planned int) {
	fmt.Println("TAP version 13")
	if planned > 0 {
		fmt.Printf("1..%d\n", planned)
	}
}

func (t *T) AutoPlan() { fmt.Printf("1..%d\n", *t.count) }

func (t *T) Ok(passed bool, description string) {
	*t.count++
	verdict := "ok"
	if !passed {
		verdict = "not ok"
	}
	text := strings.ReplaceAll(description, "\n", " ")
	if t.todo {
		text += " # TODO"
	}
	fmt.Printf("%s %d - %s\n", verdict, *t.count, text)
}

func (t *T) Pass(description string) { t.Ok(true, description) }

func (t *T) Fail(description string) { t.Ok(false, description) }

func (t *T) Skip(count int, reason string) {
	for i := 0; i < count; i++ {
		*t.count++
		fmt.Printf("ok %d # SKIP %s\n", *t.count, reason)
	}
}

func (t *T) Diagnostic(text string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintln(os.Stdout, "# "+line)
	}
}

func (t *T) Diagnosticf(format string, values ...interface{}) {
	t.Diagnostic(fmt.Sprintf(format, values...))
}

// YAML shows details of the last result; JSON is YAML too.
func (t *T) YAML(details interface{}) error {
	text, err := json.MarshalIndent(details, "  ", "  ")
	if err != nil {
		return err
	}
	fmt.Printf("  ---\n  %s\n  ...\n", text)
	return nil
}
