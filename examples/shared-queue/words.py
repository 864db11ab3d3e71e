from collections import Counter


def count(jobs, results):
    while (text := jobs.get()) is not None:
        results.put(Counter(text.split()).most_common(1)[0])
