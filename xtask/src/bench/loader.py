"""Loads a CSV of transactions as the host with the plugin `threshold` does: every row into
transactions, those above 500 also into anomalies, in one transaction. What the host is compared
with: the straightforward script, with COPY and not with INSERT."""

import csv
import sys
from decimal import Decimal

import psycopg

LIMIT = Decimal("500.00")


def main(url: str, path: str) -> None:
    anomalies = []
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with open(path, newline="", encoding="utf-8") as file, cursor.copy(
            "COPY transactions (transaction_id, user_id, amount, transaction_timestamp, is_anomalous,"
            " source_id) FROM STDIN"
        ) as copy:
            rows = csv.reader(file)
            header = next(rows)
            assert header == ["transaction_id", "user_id", "amount", "timestamp"], header
            for row in rows:
                identifier, user, amount, timestamp = row
                above = Decimal(amount) - LIMIT
                is_anomalous = above > 0
                copy.write_row((identifier, user, amount, timestamp, int(is_anomalous), identifier))
                if is_anomalous:
                    reason = f"{amount} is above {LIMIT}"
                    anomalies.append((identifier, user, amount, timestamp, float(above), reason, 1))
        with cursor.copy(
            "COPY anomalies (transaction_id, user_id, amount, transaction_timestamp, score, reason,"
            " run_id) FROM STDIN"
        ) as copy:
            for anomaly in anomalies:
                copy.write_row(anomaly)


main(*sys.argv[1:])
