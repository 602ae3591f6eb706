package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/klog/v2"
)

// troubles logs each kind of trouble when it begins, when it changes and when it is
// over, and not in between.
type troubles map[string]string

// set says what is wrong with something now; nil for nothing.
func (t troubles) set(ctx context.Context, what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if t[what] == text {
		return
	}
	t[what] = text
	if err != nil {
		klog.FromContext(ctx).Error(err, "Trouble", "with", what)
	} else {
		klog.FromContext(ctx).Info("The trouble is over", "with", what)
	}
}

// maxSentences is how many sentences of one kind are logged: a driver that fails call by
// call makes hundreds, and the first tell most.
const maxSentences = 8

// note is set for sentences.
func (t troubles) note(ctx context.Context, what string, sentences []string) {
	if len(sentences) == 0 {
		t.set(ctx, what, nil)
		return
	}
	if more := len(sentences) - maxSentences; more > 0 {
		sentences = append(sentences[:maxSentences:maxSentences], fmt.Sprintf("And %d more.", more))
	}
	t.set(ctx, what, errors.New(strings.Join(sentences, " ")))
}
