import matplotlib.pyplot as plt

figure, axes = plt.subplots()
axes.plot([1, 2, 3], [1, 4, 9], label="größe ☃")
axes.set_title("Überschrift")
axes.legend()
plt.savefig("plot.png")
print(plt.get_backend().lower())
# Output:
# agg
