"""Scores a DataFrame on Spark: every partition goes through `espalier predict` as Arrow, task by task.

    spark-submit score.py --model flights.esp --input table.parquet --output scores.parquet --keep id

Node and the espalier package must be on the workers; --espalier names the command. A task that dies is scored again by
Spark: nothing is kept between tasks.
"""

import argparse
import collections
import itertools
import subprocess
import tempfile
import threading


def scorer(command, model, columns, keep):
    """The function for DataFrame.mapInArrow: batches of a partition in, batches of scores out."""

    def score(batches):
        import pyarrow as pa

        batches = iter(batches)
        first = next(batches, None)
        if first is None:
            return
        # The kept columns stay here, as they are: scores come back in the order of the rows.
        waiting = collections.deque()

        def kept(rows):
            parts = []
            while rows > 0:
                batch = waiting.popleft()
                if batch.num_rows > rows:
                    waiting.appendleft(batch.slice(rows))
                    batch = batch.slice(0, rows)
                parts.append(batch)
                rows -= batch.num_rows
            return pa.Table.from_batches(parts).combine_chunks().columns

        def with_kept(scores):
            if not keep or scores.num_rows == 0:
                return scores
            columns = [column.chunk(0) for column in kept(scores.num_rows)] + scores.columns
            return pa.RecordBatch.from_arrays(columns, names=[*keep, *scores.schema.names])

        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*command, "predict", model, "--input", "-", "--output", "-", "--columns", ",".join(columns)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )
            broken = []

            def feed():
                try:
                    with pa.ipc.new_stream(process.stdin, first.select(columns).schema) as stream:
                        for batch in itertools.chain([first], batches):
                            if keep:
                                waiting.append(batch.select(keep))
                            stream.write_batch(batch.select(columns))
                except BrokenPipeError:
                    pass  # The scorer has ended: its exit code tells why.
                except BaseException as error:  # noqa: BLE001 - raised again in the task's own thread
                    broken.append(error)
                finally:
                    try:
                        process.stdin.close()
                    except BrokenPipeError:
                        pass

            feeder = threading.Thread(target=feed, daemon=True)
            feeder.start()
            ended = False
            try:
                with pa.ipc.open_stream(process.stdout) as stream:
                    for scores in stream:
                        yield with_kept(scores)
                ended = True
            except pa.ArrowInvalid as error:
                broken.append(error)
                ended = True
            finally:
                # Spark may stop to ask, as for a limit: the scorer would wait for a reader.
                if process.poll() is None and (broken or not ended):
                    process.kill()
                code = process.wait()
            feeder.join()
            if code != 0:
                errors.seek(0)
                raise RuntimeError(f"espalier predict ended with {code}: {errors.read().decode()[-2000:]}")
            if broken:
                raise broken[0]

    return score


def schema_of(frame, keep, outputs):
    """The kept columns as they are, then a float for each score."""
    from pyspark.sql.types import FloatType, StructField, StructType

    kept = [frame.schema[name] for name in keep]
    return StructType([*kept, *(StructField(name, FloatType()) for name in outputs)])


def main():
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True, help="parquet, or a csv with a header")
    parser.add_argument("--output", required=True, help="a folder of parquet")
    parser.add_argument("--columns", help="the features in the model's order (default: all but those kept)")
    parser.add_argument("--keep", default="", help="columns to copy to the output")
    parser.add_argument("--outputs", default="y", help="names of the scores, as espalier predict gives them")
    parser.add_argument("--espalier", default="espalier", help="the command on the workers")
    options = parser.parse_args()

    spark = SparkSession.builder.appName("espalier").getOrCreate()
    read = spark.read
    frame = (
        read.csv(options.input, header=True, inferSchema=True)
        if options.input.endswith(".csv")
        else read.parquet(options.input)
    )
    keep = [name for name in options.keep.split(",") if name]
    columns = options.columns.split(",") if options.columns else [c for c in frame.columns if c not in keep]
    score = scorer(options.espalier.split(), options.model, columns, keep)
    scored = frame.select(*dict.fromkeys([*keep, *columns])).mapInArrow(score, schema_of(frame, keep, options.outputs.split(",")))
    scored.write.mode("overwrite").parquet(options.output)


if __name__ == "__main__":
    main()
