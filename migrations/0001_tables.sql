-- The two tables of the original system, exactly as it has them. Where somebody has created them
-- by hand already, they stay as they are.

CREATE TABLE IF NOT EXISTS transactions (
    transaction_id INT PRIMARY KEY,
    user_id INT NOT NULL,
    amount DECIMAL(10, 2) NOT NULL,
    transaction_timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    is_anomalous INT
);

CREATE TABLE IF NOT EXISTS anomalies (
    anomaly_id SERIAL PRIMARY KEY,
    transaction_id INT UNIQUE NOT NULL,
    user_id INT NOT NULL,
    amount DECIMAL(10, 2) NOT NULL,
    transaction_timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    FOREIGN KEY (transaction_id) REFERENCES transactions (transaction_id)
);
