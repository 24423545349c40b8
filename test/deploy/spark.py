"""Scores a table on a local Spark through deploy/spark/score.py, then once more with a task that is killed on its way.

Standard input: {"score": folder of score.py, "command": [...], "model": ..., "table": CSV, "columns": [...], "keep": ...,
"folder": for files}. Prints what came back as JSON.
"""

import json
import os
import pathlib
import signal
import sys

asked = json.load(sys.stdin)
sys.path.insert(0, asked["score"])
os.environ["PYSPARK_PYTHON"] = sys.executable
# The workers import what this process does.
os.environ["PYTHONPATH"] = os.pathsep.join([asked["score"], os.environ.get("PYTHONPATH", "")])

import score  # noqa: E402
from pyspark import TaskContext  # noqa: E402
from pyspark.sql import SparkSession, functions  # noqa: E402

spark = (
    SparkSession.builder.master("local[2,3]")  # a task may fail twice
    .appName("espalier-test")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.execution.arrow.maxRecordsPerBatch", "1000")
    .config("spark.driver.memory", "1g")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")
keep, columns = asked["keep"], asked["columns"]
table = spark.read.csv(asked["table"], header=True, inferSchema=True, nullValue="NA")
table = table.select(*keep, *(functions.coalesce(c, functions.lit(0)).cast("double").alias(c) for c in columns))
frame = table.repartition(asked["partitions"], *keep)
score_all = score.scorer(asked["command"], asked["model"], columns, keep)
schema = score.schema_of(frame, keep, asked["outputs"])


def rows(function):
    scored = frame.mapInArrow(function, schema).collect()
    return sorted([row[name] for name in (*keep, *asked["outputs"])] for row in scored)


marks = pathlib.Path(asked["folder"])


def killed_once(batches):
    """As score_all; but the process of partition 1 is killed in its first attempt, after a batch was scored."""
    task = TaskContext.get()
    (marks / f"{task.partitionId()}-{task.attemptNumber()}").touch()
    scored = score_all(batches)
    if task.partitionId() == 1 and task.attemptNumber() == 0:
        yield next(scored)
        os.kill(os.getpid(), signal.SIGKILL)
    yield from scored


def scorer_killed(batches):
    """As score_all; but the scoring process dies in the first attempt of partition 0."""
    task = TaskContext.get()
    (marks / f"scorer-{task.partitionId()}-{task.attemptNumber()}").touch()
    if task.partitionId() == 0 and task.attemptNumber() == 0:
        dying = ["sh", "-c", "head -c 1000 >/dev/null; kill -9 $$"]
        yield from score.scorer(dying, asked["model"], columns, keep)(batches)
    else:
        yield from score_all(batches)


sizes = frame.groupBy(functions.spark_partition_id()).count().collect()
answer = {
    "partitions": [size["count"] for size in sizes],
    "whole": rows(score_all),
    "killed": rows(killed_once),
    "scorer killed": rows(scorer_killed),
    "marks": sorted(path.name for path in marks.iterdir()),
}
try:
    rows(score.scorer(asked["command"], asked["model"] + ".none", columns, keep))
except Exception as error:  # noqa: BLE001 - whatever Spark makes of it
    answer["error"] = str(error)
# The program as a user submits it, over a file of parquet, in this session.
frame.write.parquet(asked["folder"] + ".parquet")
sys.argv = ["score.py", "--model", asked["model"], "--input", asked["folder"] + ".parquet",
            "--output", asked["folder"] + ".scores", "--keep", ",".join(keep),
            "--outputs", ",".join(asked["outputs"]), "--espalier", " ".join(asked["command"])]
score.main()
scored = spark.read.parquet(asked["folder"] + ".scores").collect()
answer["submitted"] = sorted([row[name] for name in (*keep, *asked["outputs"])] for row in scored)
spark.stop()
print(json.dumps(answer))
