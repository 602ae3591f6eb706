package main

import (
	"testing"
)

func TestArgumentsAndProperties(t *testing.T) {
	c, err := readArguments([]string{
		"--master", "k8s://https://127.0.0.1:443", "--deploy-mode", "cluster", "--name", "train",
		"--conf", `spark.kubernetes.driver.annotation.yunikorn.apache.org/task-groups=[{"name":"a=b","minMember":1}]`,
		"--conf", "spark.executor.instances=4", "local:///train.jar", "--epochs", "3",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := c["spark.app.name"]; got != "train" {
		t.Errorf("the name is %q", got)
	}
	again := readProperties(c.properties())
	if got := again.prefixed("spark.kubernetes.driver.annotation.")["yunikorn.apache.org/task-groups"]; got != `[{"name":"a=b","minMember":1}]` {
		t.Errorf("the annotation is %q after it was written and read", got)
	}
	if _, err := readArguments([]string{"--jars", "x"}); err == nil {
		t.Error("an option that is not played is taken")
	}
}

func TestExecutorsAtFirst(t *testing.T) {
	for text, want := range map[string]int{
		"":                             2,
		"spark.executor.instances=4\n": 4,
		"spark.executor.instances=4\nspark.dynamicAllocation.enabled=true\n":                                                         4,
		"spark.dynamicAllocation.enabled=true\n":                                                                                     0,
		"spark.dynamicAllocation.enabled=true\nspark.dynamicAllocation.minExecutors=3\nspark.executor.instances=1\n":                 3,
		"spark.dynamicAllocation.enabled=true\nspark.dynamicAllocation.minExecutors=3\nspark.dynamicAllocation.initialExecutors=5\n": 5,
	} {
		if got, err := readProperties(text).executors(); err != nil || got != want {
			t.Errorf("%q: %d executors, want %d: %v", text, got, want, err)
		}
	}
}

func TestMemory(t *testing.T) {
	for text, want := range map[string]int64{"512m": 512 << 20, "4g": 4 << 30, "4G": 4 << 30, "1024": 1024 << 20, "2kb": 2048} {
		if got, err := memoryOf(text); err != nil || got != want {
			t.Errorf("%q is %d bytes, want %d: %v", text, got, want, err)
		}
	}
	if _, err := memoryOf("much"); err == nil {
		t.Error("a word is an amount")
	}
}
